#!/usr/bin/env python3
"""tests/e2e/test_loss.py with a thousand connections for tshark to look at."""
import os
import subprocess
import sys
from pathlib import Path

TEST = Path(__file__).resolve().parent.parent / "e2e" / "test_loss.py"

if __name__ == "__main__":
    sys.exit(subprocess.run([TEST], env={**os.environ, "NB_CONNECTIONS": "1000"}, check=False).returncode)
