#!/usr/bin/env python3
"""The examples of nicsim(1), done to the letter, in their order, as by somebody who has only that page. Within an example a
line is what a person types at one of three prompts, or a piece of what there is to see afterwards:

    $ command           in a shell of one's own; the one with unshare begins the other shell
    # command           in that other shell
    testpmd> command    at testpmd's prompt, which the other shell shows meanwhile
"""
import os
import pty
import re
import subprocess
from pathlib import Path

import nbtest
import testpmd
from nbtest import BUILD, ROOT, check

PAGE = ROOT / "docs" / "man" / "nicsim.1"
PROMPTS = ("$ ", "# ", testpmd.PROMPT)
MARK = "nbtest-done"


def examples():
    """[(prompt, command, what there is to see)] of all literal blocks of the section."""
    section = PAGE.read_text(encoding="utf-8").split(".Sh EXAMPLES")[1].split("\n.Sh ")[0]
    steps = []
    for block in re.findall(r"\.Bd -literal[^\n]*\n(.*?)\n\.Ed", section, re.DOTALL):
        for line in block.replace("\\e", "\\").splitlines():
            prompt = next((p for p in PROMPTS if line.startswith(p)), None)
            if prompt:
                steps.append((prompt, line.removeprefix(prompt), []))
            elif line.startswith("    "):
                before, command, seen = steps[-1]
                steps[-1] = (before, command.removesuffix("\\") + line.strip() if command.endswith("\\") else
                             f"{command} {line.strip()}", seen)
            else:
                steps[-1][2].append(line)
    return steps


class Reader(testpmd.Testpmd):
    """Somebody at two terminals. The other shell is a Testpmd as far as typing and listening go."""

    def __enter__(self):
        shell = self.folder / "shell"  # one that reads no profile, which would forget where nicsim is
        shell.write_text("#!/bin/sh\nPS1= exec sh\n", encoding="ascii")
        shell.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "SHELL": str(shell)}
        return self

    def __exit__(self, *why):
        if self.process:
            super().__exit__(*why)
        for path in set(re.findall(r"/tmp/[\w.]+", PAGE.read_text(encoding="utf-8"))):
            Path(path).unlink(missing_ok=True)

    def begin_other_shell(self, command):
        self.terminal, far_end = pty.openpty()
        self.process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=far_end, stderr=far_end,
                                        env=self.environment, start_new_session=True)
        os.close(far_end)
        return ""

    def at_own_prompt(self, command):
        if command.startswith("unshare"):
            return self.begin_other_shell(command)
        return nbtest.command("sh", "-c", command, env=self.environment, stderr=subprocess.STDOUT).stdout.decode()

    def at_other_prompt(self, command):
        """A command that starts testpmd ends at its prompt, another when it has ended."""
        if "dpdk-testpmd" in command:
            return self.say(command, testpmd.START_S)
        self.process.stdin.write(f"{command} && echo {MARK[:6]}'{MARK[6:]}'\n".encode())
        self.process.stdin.flush()
        return self.until(MARK)

    def at_testpmd(self, command):
        if command != "quit":
            return self.say(command)
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        return self.until("Bye")

    def do(self, prompt, command):
        """What there is to see after typing this."""
        return {"$ ": self.at_own_prompt, "# ": self.at_other_prompt, testpmd.PROMPT: self.at_testpmd}[prompt](command)


def test_examples_do_what_they_say(reader):
    steps = examples()
    check(len(steps) > 10, f"the page has {len(steps)} steps")
    for prompt, command, seen in steps:
        said = reader.do(prompt, command)
        for piece in seen:
            check(piece in said, f"{prompt}{command}: no '{piece}' in: {said}")


def test_every_option_and_command_is_in_the_page(_):
    page = PAGE.read_text(encoding="utf-8")
    for option in re.findall(r"^  --([a-z-]+)", nbtest.command(BUILD / "nicsim", "--help").stdout.decode(), re.MULTILINE):
        check(f"Fl -{option}" in page, f"--{option} is not in the page")


if __name__ == "__main__":
    nbtest.main(Reader)
