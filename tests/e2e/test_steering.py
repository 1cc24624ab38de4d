#!/usr/bin/env python3
"""The rules really steer: with a Flow Director rule for every connection, RSS may point anywhere.

200 connections are open, each with a rule. Then the NIC's RETA is rewritten behind the driver's back, so that RSS alone
would send every flow to one queue. Flows keep their queue and traffic goes on; the word that counts is that of another
program, nicsim's frame trace: it names the table that chose the queue of every frame. The control experiment removes
the rules, and the same check fails.
"""
import contextlib
import json

import nbtest
from nbtest import check, equal

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
FLOWS = 200
RETA_REGISTERS = 32  # four entries each


class Steered:
    """The system with 200 connections open, entered once for all tests."""

    def __init__(self):
        self.system = nbtest.System(steering={"policy": "exact", "exact_after_ms": 0})
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.stack.enter_context(self.system)
        self.clients = [self.stack.enter_context(self.system.connect()) for _ in range(FLOWS)]
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)

    def diagnosis(self):
        return self.system.diagnosis()

    def flows(self):
        """Flow list of our connections, keyed by client port."""
        ports = {c.getsockname()[1] for c in self.clients}
        flows = {int(f["remote"].rpartition(":")[2]): f for f in self.system.flows()}
        return {port: flow for port, flow in flows.items() if port in ports}

    def ask_all(self):
        """A request and its response on every connection."""
        for client in self.clients:
            client.sendall(GET)
        for client in self.clients:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += nbtest.read_exactly(client, 1)
            nbtest.read_exactly(client, 64)

    def traced(self):
        """What nicsim says of the frames that ask_all() made: (client port, queue, table) of each."""
        path = self.system.folder / "trace"
        self.system.nic("trace", "to", path, "frames")
        self.ask_all()
        self.system.nic("trace", "off")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.unlink()
        ports = {c.getsockname()[1] for c in self.clients}
        frames = [(f["sport"], f["queue"], f["table"]) for f in lines
                  if f["event"] == "rx" and f.get("proto") == "tcp" and f["sport"] in ports]
        check(len(frames) >= FLOWS, f"the trace has {len(frames)} frames of {FLOWS} connections")
        return frames

    def point_rss_at(self, queue):
        for i in range(RETA_REGISTERS):
            self.system.nic("reg", f"RETA[{i}]", hex(queue * 0x01010101))


def queues_by_trace(frames):
    return {port: queue for port, queue, _ in frames}


def test_every_flow_has_its_exact_rule(steered):
    steered.ask_all()
    nbtest.wait_until(lambda: all(f["method"] == "exact" for f in steered.flows().values()), "all flows are exact")
    flows = steered.flows()
    equal(len(flows), FLOWS, "flows listed")
    for flow in flows.values():
        equal(flow["queue"], flow["worker"], f"queue of flow {flow['id']}")
        check(flow["home_queue"] in (0, 1), f"home queue of flow {flow['id']}: {flow['home_queue']}")
        check(isinstance(flow["rule"], int), f"rule of flow {flow['id']}: {flow['rule']}")
    equal(len({f["rule"] for f in flows.values()}), FLOWS, "different rules")
    equal({f["worker"] for f in flows.values()}, {0, 1}, "workers that own flows")


def test_rules_steer_when_rss_points_elsewhere(steered):
    before = {port: f["queue"] for port, f in steered.flows().items()}
    for queue in (0, 1):
        steered.point_rss_at(queue)
        frames = steered.traced()
        equal({table for _, _, table in frames}, {"flow-director"}, "tables that chose a queue")
        equal(queues_by_trace(frames), before, "queue of each flow by the NIC's trace")
        equal({port: f["queue"] for port, f in steered.flows().items()}, before, "queue of each flow by flow list")
    equal(steered.system.counter("misdirected"), 0, "misdirected")


def test_without_rules_the_same_check_fails(steered):
    before = {port: f["worker"] for port, f in steered.flows().items()}
    steered.system.ctl("rule", "flush")
    nbtest.wait_until(lambda: not steered.system.ask("rule", "list"), "no rules are left")
    steered.point_rss_at(1)
    frames = steered.traced()
    equal({table for _, _, table in frames}, {"rss"}, "tables that chose a queue")
    equal({queue for _, queue, _ in frames}, {1}, "queues that frames went to")
    check(queues_by_trace(frames) != before, "every flow kept its queue without a rule")


if __name__ == "__main__":
    nbtest.main(Steered)
