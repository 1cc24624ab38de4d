#!/usr/bin/env python3
"""docs/tcp.md is complete: each row of its tables names a section, a file that exists, and a test that exists and runs.

A row whose file is '–' must say 'not yet' in the place of the test. The first column must hold everything that the
protocol is to have (WANTED), so that no row is lost.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOC = "docs/tcp.md"

# Words of which each must occur in the first column of some row.
WANTED = """handshake; simultaneous open; simultaneous close; half-close; reset; MSS; window scale; timestamps; PAWS; SACK;
D-SACK; round-trip; retransmission time-out; user timeout; SACK recovery; RACK; tail loss; proportional; limited transmit;
F-RTO; Eifel; CUBIC; NewReno; BBR; initial window; HyStart++; validation; pacing; ECN; AccECN; Fast Open; SYN cookies;
challenge; initial sequence; ephemeral; keepalive; delayed ACK; quick; Nagle; cork; more to come; zero-window; urgent;
TCP-MD5; TIME-WAIT; reuse; path MTU; black-hole; IPv4 options; fragments; IPv6; extension headers; VLAN; receive buffer;
send buffer""".replace("\n", " ").split("; ")


def rows():
    with open(os.path.join(ROOT, DOC), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if len(cells) == 4 and cells[0] != "protocol" and not set(cells[0]) <= set("- "):
                yield number, cells


def runs(path, name):
    """Is `name` a test of that file: a function that main() lists, or a row of a table of tests?"""
    if not os.path.exists(os.path.join(ROOT, path)):
        return f"{path} does not exist"
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    if f'"{name}"' in text:
        return None
    if not re.search(rf"\bvoid {name}\(void \*\*", text):
        return f"{path} has no test {name}"
    return None if len(re.findall(rf"\b{name}\b", text)) > 1 else f"{path} does not run {name}"


def complaint(cells):
    protocol, section, file, test = cells
    if not section:
        return "no section"
    if file == "–" or test == "not yet":
        return None if (file, test) == ("–", "not yet") else "a row that is not there yet has '–' and 'not yet'"
    if not os.path.exists(os.path.join(ROOT, "host-lib", file)):
        return f"host-lib/{file} does not exist"
    if ": " not in test:
        return "the test is written as 'file.c: name'"
    path, name = test.split(": ", 1)
    return runs(f"tests/{path}", name)


def main():
    checks = [(f"{DOC}:{n}: {cells[0]}", complaint(cells)) for n, cells in rows()]
    titles = [cells[0] for _, cells in rows()]
    for wanted in WANTED:
        found = any(wanted in title for title in titles)
        checks.append((f"{DOC} has a row about {wanted}", None if found else "there is none"))
    print(f"1..{len(checks)}")
    for i, (name, wrong) in enumerate(checks, 1):
        print(f"{'not ' if wrong else ''}ok {i} - {name}" + (f": {wrong}" if wrong else ""))
    sys.exit(any(wrong for _, wrong in checks))


if __name__ == "__main__":
    main()
