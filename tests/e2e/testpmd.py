"""testpmd - dpdk-testpmd on a simulated NIC, driven at its prompt. Frames to give it are made by frames.py.

    with testpmd.Testpmd("--rxq=4", "--txq=4") as pmd:
        pmd.say("flow create 0 ...")          # the text up to the next prompt
        pmd.receive(frames.tcp(...))          # inject one frame; how the NIC steered it, and how testpmd received it
        pmd.nic("stats")                      # nicsim ctl

testpmd is the outside witness: it and the driver under it are Debian's, and know nothing of us.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import nbtest
import tshark
from frames import MAC
from nbtest import BUILD, LIMIT_S, Failed, check, equal

PROMPT = "testpmd> "
RECEIVED = r"port 0/queue \d+: received \d+ packets\n(?s:.*?)ol_flags: [^\n]*\n"
START_S = 90  # probing and starting the port, most of it sleeps in the driver; more on a busy machine


class Testpmd:
    """A context manager. `options` are testpmd's own, behind the --."""

    def __init__(self, *options, wire="none", queues=4, nic_options=(), eal=("-l", "0,1"), environment=None, before=(),
                 capture=False):
        self.folder = Path(tempfile.mkdtemp(prefix="nbtest."))
        self.control = self.folder / "control"
        self.pcap = self.folder / "wire.pcapng"
        self.captured = 0  # frames of it that were looked at
        mac = ":".join(f"{b:02x}" for b in MAC)
        nic_options = [*nic_options, *(["--pcap", str(self.pcap)] if capture else [])]
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

    def skip_what_was_said(self):
        """Of frames, for instance, that nobody wanted to hear about."""
        while select.select([self.terminal], [], [], 0)[0] and (chunk := self.hear()):
            self.said += chunk
        self.prompted = len(self.said)

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

    def spread_over(self, *queues):
        """Have the driver write a RETA in which these queues take turns. A command line is short, so in pieces."""
        for first in range(0, 128, 8):
            entries = ",".join(f"({i},{queues[i % len(queues)]})" for i in range(first, first + 8))
            answer = self.say(f"port config 0 rss reta {entries}")
            check("Bad" not in answer and "error" not in answer.lower(), answer)

    def xstats(self):
        """The driver's extended statistics by name."""
        return {name: int(value) for name, value in re.findall(r"^(\w+): (\d+)$", self.say("show port xstats 0"), re.MULTILINE)}

    def xstat(self, name):
        return self.xstats()[name]

    def drops(self):
        """Why the NIC dropped frames, and how many for each reason that has some."""
        counts = dict(line.rsplit(": ", 1) for line in self.nic("table", "drops").splitlines())
        return {why: int(n) for why, n in counts.items() if int(n)}

    # the NIC

    def nic(self, *words, **options):
        """nicsim ctl; its output as text."""
        return nbtest.command(BUILD / "nicsim", "ctl", "--control", self.control, *words, **options).stdout.decode()

    def inject(self, frame):
        """Give the NIC a frame; its verdict as a dictionary: queue, table, rule, hash."""
        return dict(line.split(" ", 1) for line in self.nic("inject", frame.hex()).splitlines())

    def admits(self, frame):
        """Give the NIC a frame: does it take it? Then testpmd has told of it, and it is not mistaken for the next one."""
        self.skip_what_was_said()
        admitted = "drop" not in self.inject(frame)
        if admitted:
            self.until(RECEIVED)
        return admitted

    def receive(self, frame):
        """Give the NIC a frame that is to be delivered; its verdict, with what testpmd says it received added:
        pmd_queue, pmd_hash, pmd_length, pmd_segments, pmd_vlan and pmd_flags. testpmd must be verbose."""
        self.skip_what_was_said()
        verdict = self.inject(frame)
        check("drop" not in verdict, f"the NIC dropped the frame: {verdict}")
        text = self.until(RECEIVED)
        for name, pattern in (("queue", r"port 0/queue (\d+): received"), ("hash", r"RSS hash=(0x[0-9a-f]+)"),
                              ("length", r"length=(\d+)"), ("segments", r"nb_segs=(\d+)"),
                              ("vlan", r"VLAN tci=(0x[0-9a-f]+)")):
            said = re.search(pattern, text)
            verdict["pmd_" + name] = said and said.group(1)
        verdict["pmd_flags"] = set(re.findall(r"RTE_MBUF_F_RX_(\w+)", text.rpartition("ol_flags:")[2]))
        return verdict

    def stats(self):
        """The simulator's counters as numbers."""
        return {name: int(value) for name, value in (line.split() for line in self.nic("stats").splitlines())}

    def forward(self, *frames, out=None):
        """Give the NIC frames that testpmd is to send on, and wait until `out` (as many) have left the NIC."""
        want = self.stats()["tx_frames"] + (len(frames) if out is None else out)
        for frame in frames:
            verdict = self.inject(frame)
            check("drop" not in verdict, f"the NIC dropped the frame: {verdict}")
        self.wait_sent(want)
        equal(self.stats()["tx_frames"], want, "frames sent")

    def wait_sent(self, frames):
        """Wait until so many frames have left the NIC since it was made. testpmd must be listened to meanwhile: a full
        terminal would stop it."""
        def reached():
            self.skip_what_was_said()
            return self.stats()["tx_frames"] >= frames
        nbtest.wait_until(reached, f"{frames} frames sent")

    def judged(self, *fields):
        """What tshark finds in the frames that left since the last look; see tshark.judge. Needs capture."""
        found = tshark.judge(self.pcap, *fields, skip=self.captured)
        self.captured += len(found)
        return found

    def sent(self):
        """The frames that left since the last look, as bytes. Needs capture."""
        found = tshark.frames(self.pcap, skip=self.captured)
        self.captured += len(found)
        return found

    def skip_what_was_sent(self):
        self.captured = len(tshark.packets(self.pcap, "frame.number"))

    def restart(self, *commands):
        """Stop the port, say what can only be said then, and start it again, forwarding."""
        self.say("stop")
        self.say("port stop 0")
        answers = [self.say(command) for command in commands]
        self.say("port start 0")
        self.nic("wait", "started")
        self.say("start")
        return answers
