#!/usr/bin/env python3
"""Several simulated ports: two in one program, dpdk-testpmd forwarding between them, ordinary Linux hosts on both sides
in network namespaces of their own; and two programs joined by one cable."""
import contextlib
import json
import re
import subprocess

import nbtest
import testpmd
from nbtest import check, equal

LEFT, RIGHT = "10.98.0.1", "10.98.0.2"
SECONDS = 1  # of iperf3, each time


def statistics(text):
    """The lines of `nicsim ctl stats` as numbers."""
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def testpmd_dropped(forward, port):
    """Frames that testpmd could not send from a port."""
    found = re.search(rf"Forward statistics for port {port} .*?TX-dropped: (\d+)", forward, re.DOTALL)
    return int(found.group(1)) if found else 0


class Between:
    """testpmd between two hosts: host A - wire 0 - port 0 - io - port 1 - wire 1 - host B."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--nb-cores=1", wire="netdev:wire0", queues=1,
                                   nic_options=("--nic", "82599", "--queues", "1", "--wire", "netdev:wire1"))

    def __enter__(self):
        for name in ("left", "right"):
            nbtest.command("ip", "netns", "add", name)
        self.make_hosts()
        self.pmd.__enter__()
        self.pmd.say("set promisc all on")
        self.pmd.say("set fwd io")
        self.pmd.say("start")
        return self

    def make_hosts(self):
        """A host is a namespace with one end of a veth; the other end is the wire. A sender must not leave segmentation
        to hardware that is not there, and the wire must not be a host itself, with IPv6 to say."""
        for name, address, wire in (("left", LEFT, "wire0"), ("right", RIGHT, "wire1")):
            nbtest.command("ip", "link", "add", wire, "type", "veth", "peer", "name", "nic", "netns", name)
            nbtest.command("ip", "-n", name, "link", "set", "nic", "gso_max_segs", "1")
            nbtest.command("ip", "-n", name, "address", "add", f"{address}/24", "dev", "nic")
            nbtest.command("ip", "-n", name, "link", "set", "nic", "up")
            nbtest.command("ip", "link", "set", wire, "addrgenmode", "none", "up")

    def __exit__(self, *why):
        self.pmd.__exit__(*why)
        for name in ("left", "right"):
            nbtest.command("ip", "netns", "del", name)

    def diagnosis(self):
        return self.pmd.diagnosis()

    def stats(self, port):
        return statistics(self.pmd.nic("port", str(port), "stats"))

    def counters(self):
        """Of both ports: what the simulator, the driver, testpmd, the cable's faults and the host beyond it count."""
        forward = self.pmd.say("show fwd stats all")
        return [{**self.stats(port), **self.faults(port), **self.host(port), **self.drops(port),
                 "rx_good_packets": int(re.search(r"rx_good_packets: (\d+)", self.pmd.say(f"show port xstats {port}")).group(1)),
                 "testpmd_dropped": testpmd_dropped(forward, port)} for port in (0, 1)]

    def counters_at_rest(self):
        """The same, taken when no frame is on its way: what is counted at different stations belongs together."""
        last = [None]

        def at_rest():
            before, last[0] = last[0], self.counters()
            return before and all(before[i][name] == last[0][i][name]
                                  for i in (0, 1) for name in ("host_tx", "host_rx", "tx_frames"))
        nbtest.wait_until(at_rest, "no frame is on its way")
        return last[0]

    def drops(self, port):
        """Frames that the card had a queue for and no descriptor."""
        text = self.pmd.nic("port", str(port), "table", "drops")
        return {"no receive descriptor": int(re.search(r"^no receive descriptor: (\d+)$", text, re.MULTILINE).group(1))}

    def faults(self, port):
        rows = [line.split() for line in self.pmd.nic("port", str(port), "fault").splitlines()]
        return {row[0]: int(row[2]) for row in rows if row[0].startswith("loss.")}

    def host(self, port):
        """Frames by the account of the host at the other end of the port's cable."""
        link = json.loads(nbtest.command("ip", "-n", ("left", "right")[port], "-j", "-s", "link", "show", "nic").stdout)[0]
        return {"host_tx": link["stats64"]["tx"]["packets"], "host_rx": link["stats64"]["rx"]["packets"]}


def inside(namespace, *words, **options):
    return nbtest.command("ip", "netns", "exec", namespace, *words, **options).stdout.decode()


def test_driver_has_two_ports_of_different_addresses(between):
    ports = between.pmd.say("show port summary all")
    check("Number of available ports: 2" in ports, ports)
    addresses = set(re.findall(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}", ports))
    equal(len(addresses), 2, f"different addresses in {ports}")


def test_hosts_reach_each_other_through_both_cards(between):
    out = inside("left", "ping", "-c", "5", "-i", "0.05", RIGHT)
    check(" 5 received" in out, out)


def test_iperf3_across_both_loses_nothing_that_is_not_counted(between):
    before = between.counters_at_rest()
    for words in ((), ("-R", "-u", "-b", "200M")):
        result = iperf3(*words)
        check(result["end"]["sum_received" if "sum_received" in result["end"] else "sum"]["bytes"] > 1_000_000,
              f"too little arrived, iperf3 {words}")
    all_explained(between, before)


def test_counters_explain_what_faults_of_the_cable_take(between):
    before = between.counters_at_rest()
    for port in ("0", "1"):
        between.pmd.nic("port", port, "fault", "loss", "2")
    iperf3("-t", "1")
    for port in ("0", "1"):
        between.pmd.nic("port", port, "fault", "off")
    all_explained(between, before)
    lost = [between.counters()[port]["loss.rx"] + between.counters()[port]["loss.tx"] for port in (0, 1)]
    check(all(lost), f"frames lost by the faults: {lost}")


def test_frame_too_long_for_a_card_is_counted_as_lost_on_the_wire(between):
    for namespace, device in (("left", "nic"), (None, "wire0")):
        nbtest.command("ip", *(["-n", namespace] if namespace else []), "link", "set", device, "mtu", "30000")
    before = between.stats(0)["rx_wire_lost"]
    inside("left", "ping", "-c", "3", "-i", "0.05", "-W", "0.1", "-M", "do", "-s", "20000", RIGHT, expect=1)
    nbtest.wait_until(lambda: between.stats(0)["rx_wire_lost"] - before >= 3, "three frames counted as lost")


def iperf3(*words):
    """One run from left to right; what the client says of it."""
    server = subprocess.Popen(["ip", "netns", "exec", "right", "iperf3", "-s", "-1", "--forceflush"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with server, contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        while b"listening" not in server.stdout.readline():
            check(server.poll() is None, "iperf3 -s ended")
        return json.loads(inside("left", "iperf3", "-c", RIGHT, "-t", str(SECONDS), *words, "-J"))


def all_explained(between, before):
    """A frame that is just passing through makes the sums differ for that moment only."""
    left = ["never asked"]

    def explained():
        left[:] = unexplained(before, between.counters())
        return not left
    try:
        nbtest.wait_until(explained, "every frame came out or is counted as lost", 10)
    except nbtest.Failed as why:
        raise nbtest.Failed(f"{why}: {left}") from None


def unexplained(before, after):
    """Both ways, host to host: what each station took in against what it gave on and what it counts as lost. Returns the
    stations where the sums differ."""
    moved = [{name: after[i][name] - before[i].get(name, 0) for name in after[i]} for i in (0, 1)]
    wrong = []
    for rx, tx in ((0, 1), (1, 0)):
        a, b = moved[rx], moved[tx]
        sums = {"cable into the card": (a["host_tx"], a["rx_frames"] + a["rx_wire_lost"] + a["loss.rx"]),
                "card": (a["rx_frames"], a["rx_dropped"] + a["no receive descriptor"] + a["rx_good_packets"]),
                "testpmd": (a["rx_good_packets"], b["tx_frames"] + b["testpmd_dropped"]),
                "cable out of the card": (b["tx_frames"], b["host_rx"] + b["tx_refused"] + b["loss.tx"])}
        wrong += [f"port {rx} to {tx}, {station}: {s}" for station, s in sums.items() if s[0] != s[1]]
    return wrong


def test_port_command_is_about_the_other_port(between):
    equal(between.pmd.nic("port", "1", "link", "down"), "", "answer")
    check("link down" in between.pmd.nic("port", "1", "status"), "port 1")
    check("link up" in between.pmd.nic("status"), "port 0")
    between.pmd.nic("port", "1", "link", "up")
    equal(between.pmd.nic("port", "1", "wait", "started"), "", "a port that has started")
    for words in (("port", "2", "status"), ("port", "x", "status")):
        nbtest.command(nbtest.BUILD / "nicsim", "ctl", "--control", between.pmd.control, *words, expect=1)


def test_wait_for_the_other_port_is_answered_when_it_starts(between):
    between.pmd.say("stop")
    between.pmd.say("port stop 1")
    words = [nbtest.BUILD / "nicsim", "ctl", "--control", between.pmd.control, "port", "1", "wait", "started"]
    with subprocess.Popen(words) as waiting:
        check("receiver off" in between.pmd.nic("port", "1", "status"), "port 1 stopped")
        check(waiting.poll() is None, "an answer before it has started")
        between.pmd.say("port start 1")
        equal(waiting.wait(nbtest.LIMIT_S), 0, "exit status")
    between.pmd.say("start")


def test_faults_and_trace_of_the_other_port_while_it_is_busy(between):
    trace = between.pmd.folder / "port1.json"
    with subprocess.Popen(["ip", "netns", "exec", "left", "ping", "-q", "-f", "-w", str(nbtest.LIMIT_S), RIGHT],
                          stdout=subprocess.DEVNULL) as flood:
        nbtest.command(nbtest.BUILD / "nicsim", "ctl", "--control", between.pmd.control, "port", "1", "trace", "to",
                       trace.name, "frames", cwd=trace.parent)
        for percent in range(1, 21):
            between.pmd.nic("port", "1", "fault", "duplicate", str(percent), "tx")
        between.pmd.nic("port", "1", "trace", "off")
        between.pmd.nic("port", "1", "fault", "off")
        flood.kill()
    ports = {json.loads(line)["port"] for line in trace.read_text(encoding="ascii").splitlines()}
    equal(ports, {1}, "ports in the trace")


def directions(pcap):
    """How many ICMP requests and answers of one ping a capture has, with their direction as tshark sees it. A late answer
    to another one before may be among them."""
    fields = nbtest.command("tshark", "-r", pcap, "-Y", "icmp", "-T", "fields", "-e", "frame.packet_flags_direction", "-e",
                            "icmp.type", "-e", "icmp.ident").stdout.decode().split("\n")
    rows = [tuple(int(word.split(",")[0], 0) for word in line.split()) for line in fields if line]
    idents = [row[2] for row in rows]
    ours = [row[:2] for row in rows if row[2] == max(idents, key=idents.count)]
    return {row: ours.count(row) for row in ours}


def test_captures_of_wire_and_queue_are_switched_while_it_runs(between):
    wire, queue, sent = (between.pmd.folder / name for name in ("wire.pcapng", "queue.pcapng", "sent.pcapng"))
    inside("left", "ping", "-c", "3", "-i", "0.01", RIGHT)
    between.counters_at_rest()
    between.pmd.nic("pcap", "to", wire)
    between.pmd.nic("pcap", "to", queue, "queue", "0", "rx")
    between.pmd.nic("port", "1", "pcap", "to", sent, "queue", "0", "tx")
    inside("left", "ping", "-c", "5", "-i", "0.01", RIGHT)
    between.counters_at_rest()  # ping does not wait for the last answer longer than for those before
    check(f"{queue} queue 0 rx " in between.pmd.nic("pcap"), "what is captured")
    between.pmd.nic("pcap", "off")
    between.pmd.nic("port", "1", "pcap", "off", sent)
    equal(between.pmd.nic("pcap"), "", "what is captured afterwards")
    inside("left", "ping", "-c", "3", "-i", "0.01", RIGHT)
    equal(directions(wire), {(1, 8): 5, (2, 0): 5}, "requests inbound and answers outbound on the wire")
    equal(directions(queue), {(1, 8): 5}, "requests of the receive queue")
    equal(directions(sent), {(2, 8): 5}, "requests of the other port's transmit queue")


def test_trace_is_only_what_the_filter_passes(between):
    trace = between.pmd.folder / "filtered.json"
    between.pmd.nic("trace", "to", trace, "frames", "registers", "register=RD*", f"flow={LEFT}-{RIGHT}", "decision=default",
                    "decision=rss")
    check(f"trace frames registers register=RD* flow={LEFT}-{RIGHT}" in between.pmd.nic("status"), "status")
    inside("left", "ping", "-c", "5", "-i", "0.01", RIGHT)
    between.pmd.say("port stop 1")
    between.pmd.say("port start 1")
    between.pmd.nic("trace", "off")
    lines = [json.loads(line) for line in trace.read_text(encoding="ascii").splitlines()]
    frames = [(line["event"], line["src"]) for line in lines if "length" in line]
    equal(frames, [("rx", LEFT)] * 5, "frames with a decision, of one flow")
    registers = {line["register"][:2] for line in lines if "register" in line}
    check(registers <= {"RD"}, f"registers: {registers}")


def test_cable_joins_two_programs_and_its_end_is_a_link_down(between):
    """The second program's wire has the first one's path; frames of each reach the other."""
    path = f"link:{between.pmd.folder}/cable"
    with testpmd.Testpmd(wire=path, queues=1) as first:
        with testpmd.Testpmd(wire=path, queues=1, nic_options=("--mac", "02:82:59:00:00:02")) as second:
            for pmd in (first, second):
                pmd.say("set promisc all on")
                pmd.say("set fwd io")
            second.say("start")
            first.say("start tx_first 1")  # 32 frames, which then go to and fro
            nbtest.wait_until(lambda: statistics(first.nic("stats"))["rx_frames"] >= 1000, "1000 frames come back")
            first.say("stop")
            second.say("stop")
        nbtest.wait_until(lambda: "link down" in first.nic("status"), "the link down when the other program has ended")


if __name__ == "__main__":
    nbtest.main(Between)
