#!/usr/bin/env python3
"""What only a real peer can judge, both ways against Linux's sockets: TCP-MD5 (RFC 2385) and urgent data. Our side is
programs/socket_host.c: this stack's sockets on a TUN."""
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess

import nbtest
from nbtest import check, command, equal, wait_until

TUN, LINUX, OURS = "nbtun0", "10.98.0.1", "10.98.0.2"
TCP_MD5SIG = 14
SIOCATMARK = 0x8905
PORT = 5000
NOTHING = -11  # -EAGAIN
IN_PROGRESS = -115
POLLIN, POLLPRI, POLLOUT = select.POLLIN, select.POLLPRI, select.POLLOUT


class Host:
    """The program, asked by lines. A context manager."""

    def __init__(self):
        self.process = None
        self.port = PORT

    def __enter__(self):
        asan = nbtest.BUILD.name == "asan"
        program = nbtest.BUILD / "tests/e2e/socket_host"
        command("make", "--no-print-directory", "-C", nbtest.ROOT, *(["SAN=1"] if asan else []),
                os.path.relpath(program, nbtest.ROOT), limit_s=300)
        command("ip", "tuntap", "add", "dev", TUN, "mode", "tun")
        command("ip", "address", "add", f"{LINUX}/24", "dev", TUN)
        command("ip", "link", "set", TUN, "up")
        self.process = subprocess.Popen([program, TUN, OURS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while (line := self.process.stdout.readline()) != "ready\n":
            check(line, "socket_host did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        equal(self.process.wait(nbtest.LIMIT_S), 0, "exit status of socket_host, which looks for lost buffers")

    def ask(self, *words):
        """A call: its result, and what was read."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        result, _, read = self.process.stdout.readline().strip().partition(" ")
        return int(result), bytes.fromhex(read)

    def call(self, *words):
        return self.ask(*words)[0]

    def do(self, *words):
        """A call that must not fail."""
        result = self.call(*words)
        check(result >= 0, f"{words}: {os.strerror(-result)}")
        return result

    def send(self, fd, data, flags=0):
        equal(self.call("send", fd, flags, data.hex()), len(data), "bytes that send took")

    def recv(self, fd, n, flags=0):
        """What comes first: n bytes at most; waits for one."""
        result, data = wait_until(lambda: (r := self.ask("recv", fd, flags, n))[0] != NOTHING and r, "something to read")
        check(result >= 0, f"recv: {os.strerror(-result)}")
        return data

    def new_port(self):
        self.port += 1
        return self.port

    def listener(self, port, key=None):
        fd = self.do("open")
        self.do("bind", fd, port)
        if key:
            self.do("key", fd, LINUX, key)
        self.do("listen", fd)
        return fd

    def accept(self, listener):
        return wait_until(lambda: (fd := self.call("accept", listener)) != NOTHING and fd, "a connection to accept")

    def accepted(self):
        """A connection that Linux has opened: our descriptor, Linux's socket."""
        port = self.new_port()
        listener = self.listener(port)
        client = socket.create_connection((OURS, port), timeout=nbtest.LIMIT_S)
        fd = self.accept(listener)
        self.do("close", listener)
        return fd, client


def linux_key(s, text):
    peer = struct.pack("HH4s120x", socket.AF_INET, 0, socket.inet_aton(OURS))
    s.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, peer + struct.pack("BBHi80s", 0, 0, len(text), 0, text.encode()))


def linux_socket(key=None):
    s = socket.socket()
    s.settimeout(nbtest.LIMIT_S)
    if key:
        linux_key(s, key)
    return s


def linux_counter(name):
    """A row of nstat(8)."""
    with open("/proc/net/netstat", encoding="ascii") as f:
        lines = [line.split() for line in f if line.startswith("TcpExt:")]
    return int(dict(zip(*lines))[name])


def at_mark(s):
    return struct.unpack("i", fcntl.ioctl(s, SIOCATMARK, b"\0\0\0\0"))[0]


def talk(host, fd, s):
    """Some segments each way."""
    question, reply = nbtest.pattern(4000), nbtest.pattern(4000)[::-1]
    s.sendall(question)
    got = b""
    while len(got) < len(question):
        got += host.recv(fd, 4000)
    equal(got, question, "what Linux sent")
    host.send(fd, reply)
    equal(nbtest.read_exactly(s, len(reply)), reply, "what we sent")


# --- TCP-MD5 ------------------------------------------------------------------------------------

def test_signed_connection_that_linux_opens(host):
    port = host.new_port()
    listener = host.listener(port, "secret")
    with linux_socket("secret") as client:
        client.connect((OURS, port))
        fd = host.accept(listener)
        talk(host, fd, client)
        host.do("close", fd)
        equal(client.recv(1), b"", "the end")
    host.do("close", listener)


def test_signed_connection_that_we_open(host):
    with linux_socket("secret") as listener:
        listener.bind((LINUX, 0))
        listener.listen()
        fd = host.do("open")
        host.do("key", fd, LINUX, "secret")
        equal(host.call("connect", fd, LINUX, listener.getsockname()[1]), IN_PROGRESS, "connect")
        with contextlib.closing(listener.accept()[0]) as s:
            s.settimeout(nbtest.LIMIT_S)
            talk(host, fd, s)
            s.shutdown(socket.SHUT_WR)
            equal(host.recv(fd, 1), b"", "the end")
    host.do("close", fd)


def test_linux_with_another_key_or_none_gets_no_answer(host):
    for key, counter in ("Secret", "drop_md5_wrong"), (None, "drop_md5_missing"):
        port = host.new_port()
        listener, before = host.listener(port, "secret"), host.call("counter", counter)
        with linux_socket(key) as client:
            client.setblocking(False)
            equal(client.connect_ex((OURS, port)), -IN_PROGRESS, "connect")
            wait_until(lambda: host.call("counter", counter) >= before + 2, "the SYN, and it again")  # pylint: disable=W0640
            equal(select.select([client], [client], [client], 0), ([], [], []), "what Linux heard")
        equal(host.call("accept", listener), NOTHING, "accept")
        host.do("close", listener)


def test_we_with_another_key_or_none_get_no_answer(host):
    for key, counter in ("Secret", "TCPMD5Failure"), (None, "TCPMD5NotFound"):
        with linux_socket("secret") as listener:
            listener.bind((LINUX, 0))
            listener.listen()
            before, fd = linux_counter(counter), host.do("open")
            if key:
                host.do("key", fd, LINUX, key)
            equal(host.call("connect", fd, LINUX, listener.getsockname()[1]), IN_PROGRESS, "connect")
            wait_until(lambda: linux_counter(counter) >= before + 2, "the SYN, and it again")  # pylint: disable=W0640
            equal(host.call("poll", fd), 0, "what we heard")
            equal(select.select([listener], [], [], 0)[0], [], "what Linux accepts")
            host.do("close", fd)


# --- urgent data --------------------------------------------------------------------------------

def test_urgent_byte_of_linux_is_read_out_of_band(host):
    fd, client = host.accepted()
    with client:
        client.sendall(b"ab")
        client.send(b"cX", socket.MSG_OOB)
        client.sendall(b"de")
        wait_until(lambda: host.call("poll", fd) & POLLPRI, "urgent data")
        equal(host.recv(fd, 1, socket.MSG_OOB), b"X", "the urgent byte")
        check(host.call("recv", fd, socket.MSG_OOB, 1) < 0, "it is read once")
        got = b""
        while len(got) < 3:
            equal(host.call("atmark", fd), 0, f"at the mark after {got}")
            got += host.recv(fd, 10)
        equal(got, b"abc", "what was read before the mark, where reads stop")
        equal(host.call("atmark", fd), 1, "at the mark")
        equal(host.recv(fd, 10), b"de", "what follows it")
    host.do("close", fd)


def test_urgent_byte_of_linux_is_read_in_line(host):
    fd, client = host.accepted()
    with client:
        host.do("inline", fd)
        client.send(b"abX", socket.MSG_OOB)
        client.sendall(b"cd")
        wait_until(lambda: host.call("poll", fd) & POLLPRI, "urgent data")
        check(host.call("recv", fd, socket.MSG_OOB, 1) < 0, "there is nothing out of band")
        equal(host.recv(fd, 10), b"ab", "what was read before the mark")
        equal(host.call("atmark", fd), 1, "at the mark")
        got = b""
        while len(got) < 3:
            got += host.recv(fd, 10)
        equal(got, b"Xcd", "the urgent byte and what follows")
    host.do("close", fd)


def test_linux_reads_our_urgent_byte_out_of_band(host):
    fd, client = host.accepted()
    with client:
        host.send(fd, b"ab")
        host.send(fd, b"cX", socket.MSG_OOB)
        host.send(fd, b"de")
        check(select.select([], [], [client], nbtest.LIMIT_S)[2], "Linux says that there is urgent data")
        equal(client.recv(1, socket.MSG_OOB), b"X", "the urgent byte")
        equal(at_mark(client), 0, "at the mark")
        equal(nbtest.read_exactly(client, 3), b"abc", "what was read before the mark")
        equal(at_mark(client), 1, "at the mark")
        equal(nbtest.read_exactly(client, 2), b"de", "what follows it")
    host.do("close", fd)


def test_linux_reads_our_urgent_byte_in_line(host):
    fd, client = host.accepted()
    with client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        host.send(fd, b"abX", socket.MSG_OOB)
        host.send(fd, b"cd")
        check(select.select([], [], [client], nbtest.LIMIT_S)[2], "Linux says that there is urgent data")
        equal(client.recv(10), b"ab", "what was read before the mark, where reads stop")
        equal(at_mark(client), 1, "at the mark")
        equal(nbtest.read_exactly(client, 3), b"Xcd", "the urgent byte and what follows")
    host.do("close", fd)


if __name__ == "__main__":
    nbtest.main(Host)
