#!/usr/bin/env python3
"""docs/apps.md: the application that it shows whole compiles as it says, without a warning, and is a module."""
import ctypes
import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/apps.md"
INSTALLED = "-I/usr/local/include"
IN_THE_TREE = [f"-I{path}" for path in sorted(ROOT.glob("*/include"))]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]


def shown():
    """The program and the command line of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.search(r"```c\n(.*?)```", text, re.DOTALL).group(1), re.search(r"^    (gcc .*)$", text, re.MULTILINE).group(1)


def compiled(folder, program, line):
    """What the compiler has to say, of the page's command with the tree's headers for the installed ones."""
    (folder / "echo.c").write_text(program, encoding="utf-8")
    assert INSTALLED in line, f"the page's command has no {INSTALLED}"
    line = line.replace(INSTALLED, " ".join(IN_THE_TREE + WARNINGS))
    return subprocess.run(line, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False).stdout


def abi_of(module):
    return ctypes.c_uint.in_dll(ctypes.CDLL(str(module), mode=os.RTLD_LAZY), "nb_app").value


def abi_of_header():
    header = (ROOT / "host-lib/include/netbypass/app.h").read_text(encoding="utf-8")
    return int(re.search(r"#define NB_APP_ABI (\d+)", header).group(1))


def main():
    print("1..2")
    with tempfile.TemporaryDirectory() as name:
        said = compiled(Path(name), *shown())
        print(f"{'not ' if said else ''}ok 1 - the example compiles without a warning" + said.replace("\n", "\n# "))
        module = Path(name) / "echo.so"
        good = module.exists() and abi_of(module) == abi_of_header()
        print(f"{'' if good else 'not '}ok 2 - it exports nb_app of this interface")


main()
