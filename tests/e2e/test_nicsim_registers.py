#!/usr/bin/env python3
"""What nicsim says of a model's registers, and the page of the documentation that repeats it."""
import os

import nbtest
from nbtest import BUILD, ROOT, check, equal

PAGE = ROOT / "docs" / "simulated-nics-82599-registers.md"


def test_page_of_the_documentation_is_what_the_model_says():
    printed = nbtest.command(ROOT / "scripts" / "register-page", env={**os.environ, "NB_BUILD": str(BUILD)}).stdout.decode()
    check(PAGE.read_text(encoding="utf-8") == printed, f"outdated; scripts/register-page > {PAGE.relative_to(ROOT)}")


def test_registers_of_a_model_that_does_not_exist_are_refused():
    refused = nbtest.command(BUILD / "nicsim", "--nic", "82600", "--registers", expect=2).stderr.decode()
    equal(refused, "nicsim: --nic 82600: no such model; there is 82599\n", "words")


if __name__ == "__main__":
    nbtest.main()
