"""testpmd - dpdk-testpmd on a simulated NIC, driven at its prompt; and frames to give it.

    with testpmd.Testpmd("--rxq=4", "--txq=4") as pmd:
        pmd.say("flow create 0 ...")          # the text up to the next prompt
        pmd.receive(testpmd.tcp(...))         # inject one frame; how the NIC steered it, and how testpmd received it
        pmd.nic("stats")                      # nicsim ctl

testpmd is the outside witness: it and the driver under it are Debian's, and know nothing of us.
"""
import ipaddress
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import nbtest
from nbtest import BUILD, LIMIT_S, Failed, check

PROMPT = "testpmd> "
START_S = 90  # probing and starting the port, most of it sleeps in the driver; more on a busy machine
MAC = bytes.fromhex("028259000001")


class Testpmd:
    """A context manager. `options` are testpmd's own, behind the --."""

    def __init__(self, *options, wire="none", queues=4, nic_options=(), eal=("-l", "0,1"), environment=None, before=()):
        self.folder = Path(tempfile.mkdtemp(prefix="nbtest."))
        self.control = self.folder / "control"
        mac = ":".join(f"{b:02x}" for b in MAC)
        self.argv = [*before, str(BUILD / "nicsim"), "--nic", "82599", "--queues", str(queues), "--wire", wire,
                     "--mac", mac, "--control", str(self.control), *nic_options, "--", "dpdk-testpmd", *eal, "--", "-i",
                     f"--rxq={queues}", f"--txq={queues}", "--total-num-mbufs=8192", "--no-mlockall", *options]
        self.environment = environment
        self.process = None
        self.terminal = None  # where testpmd writes: only to a terminal does it write line by line
        self.said = ""
        self.prompted = 0  # where in `said` the text since the last prompt begins

    def __enter__(self):
        self.terminal, far_end = pty.openpty()
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=far_end, stderr=far_end,
                                        env=self.environment, start_new_session=True)
        os.close(far_end)
        try:
            self.until_prompt(START_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LIMIT_S)
        self.process.stdin.close()
        os.close(self.terminal)
        shutil.rmtree(self.folder)

    def diagnosis(self):
        return "testpmd said last:\n" + self.said[-1500:]

    # its prompt

    def until(self, pattern, limit_s=LIMIT_S):
        """Everything since the last look, up to and including a match of a regular expression."""
        deadline = time.monotonic() + limit_s
        while not (found := re.compile(pattern).search(self.said, self.prompted)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise Failed(f"testpmd: no {pattern} within {limit_s} s\n{self.diagnosis()}")
            chunk = self.hear()
            if chunk is None:
                raise Failed(f"testpmd ended: exit {self.process.wait(LIMIT_S)}\n{self.diagnosis()}")
            self.said += chunk
        text = self.said[self.prompted:found.end()]
        self.prompted = found.end()
        return text

    def hear(self):
        """What testpmd writes next, None when it has ended (a terminal then reports an error)."""
        try:
            return os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
        except OSError:
            return None

    def until_prompt(self, limit_s=LIMIT_S):
        return self.until(re.escape(PROMPT), limit_s).removesuffix(PROMPT)

    def say(self, command, limit_s=LIMIT_S):
        """Type a command; what testpmd answers, up to its next prompt."""
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return self.until_prompt(limit_s)

    def quit(self):
        """Leave as a person does; nicsim's exit status."""
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        self.until("Bye", LIMIT_S)
        return self.process.wait(LIMIT_S)

    # flows and counters

    def flow_create(self, rule):
        """The number of a new rule; Failed with the driver's words when it refuses."""
        answer = self.say(f"flow create 0 ingress {rule}")
        made = re.search(r"Flow rule #(\d+) created", answer)
        check(made, f"flow create {rule}: {answer.strip()}")
        return int(made.group(1))

    def flow_destroy(self, number):
        answer = self.say(f"flow destroy 0 rule {number}")
        check(f"Flow rule #{number} destroyed" in answer, answer)

    def xstat(self, name):
        found = re.search(rf"^{name}: (\d+)$", self.say("show port xstats 0"), re.MULTILINE)
        check(found, f"no xstat {name}")
        return int(found.group(1))

    # the NIC

    def nic(self, *words, **options):
        """nicsim ctl; its output as text."""
        return nbtest.command(BUILD / "nicsim", "ctl", "--control", self.control, *words, **options).stdout.decode()

    def inject(self, frame):
        """Give the NIC a frame; its verdict as a dictionary: queue, table, rule, hash."""
        return dict(line.split(" ", 1) for line in self.nic("inject", frame.hex()).splitlines())

    def receive(self, frame):
        """Give the NIC a frame that is to be delivered; its verdict, with what testpmd says it received added:
        pmd_queue and pmd_hash. Forwarding must be started in rxonly mode, verbose."""
        verdict = self.inject(frame)
        check("drop" not in verdict, f"the NIC dropped the frame: {verdict}")
        text = self.until(r"port 0/queue \d+: received \d+ packets\n(?s:.*?)ol_flags: [^\n]*\n")
        verdict["pmd_queue"] = re.search(r"port 0/queue (\d+): received", text).group(1)
        has_hash = re.search(r"RSS hash=(0x[0-9a-f]+)", text)
        verdict["pmd_hash"] = has_hash and has_hash.group(1)
        return verdict


# --- frames -----------------------------------------------------------------------------------------------------------

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_header(src, dst, protocol, length):
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + src.packed + dst.packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0) + src.packed + dst.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def packet(src, dst, protocol, l4, checksum_at):
    """An Ethernet frame to the NIC, with good checksums."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    pseudo = src.packed + dst.packed + struct.pack("!II", len(l4), protocol)
    l4 = l4[:checksum_at] + struct.pack("!H", checksum(pseudo + l4)) + l4[checksum_at + 2:]
    ethertype = 0x0800 if src.version == 4 else 0x86DD
    return MAC + bytes.fromhex("020000000099") + struct.pack("!H", ethertype) + \
        ip_header(src, dst, protocol, len(l4)) + l4


def tcp(src, sport, dst, dport, flags=0x10):
    return packet(src, dst, 6, struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 65535, 0, 0), 16)


def udp(src, sport, dst, dport, payload=b""):
    return packet(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, 6)
