"""nginx and wrk as the two ends of a rate: Linux as it is commonly used, HTTP where rates.py's own ends have bare bytes.

One process of nginx, one thread of wrk, each on a CPU of its own. A response has a body of 64 bytes; with HTTP's headers
around it and around the request, some 150 bytes go each way.
"""
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORT = 80
CONNECTIONS = {"short": 64, "keepalive": 64, "pingpong": 1}
LIMIT_S = 30
CONFIG = """daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    server {{ listen {port} backlog=1024; location / {{ return 200 "{body}"; }} }}
}}
"""
UNITS_NS = {"us": 1e3, "ms": 1e6, "s": 1e9}


class Nginx:
    """Serves in a namespace from entry to exit."""

    def __init__(self, prefix, cpu):
        self.argv = [*prefix, "taskset", "-c", str(cpu), "nginx", "-e", "stderr", "-c"]

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        config = Path(self.folder.name, "nginx.conf")
        config.write_text(CONFIG.format(folder=self.folder.name, port=PORT, body="x" * 64), encoding="ascii")
        self.process = subprocess.Popen([*self.argv, str(config)])
        while not Path(self.folder.name, "pid").exists():  # it is written when the port is open
            if self.process.poll() is not None:
                sys.exit(f"nginx: exit {self.process.returncode}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self.folder.cleanup()


def nanoseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * UNITS_NS[unit]


def read_report(out):
    """wrk's words as the JSON that the other ends print."""
    done = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m),", out, re.MULTILINE)
    latency = dict(re.findall(r"^\s*(50|99)%\s+([\d.]+(?:us|ms|s))$", out, re.MULTILINE))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    if not done or len(latency) != 2:
        sys.exit(f"wrk says nothing that is understood:\n{out}")
    seconds = float(done.group(2)) * (60 if done.group(3) == "m" else UNITS_NS[done.group(3)] / 1e9)
    return {"count": int(done.group(1)), "seconds": seconds,
            "p50_ns": nanoseconds(latency["50"]), "p99_ns": nanoseconds(latency["99"]),
            "errors": sum(map(int, errors.groups())) if errors else 0}


def play(prefixes, cpus, server, mode, seconds):
    """One measurement; prefixes lead into the server's and the client's namespace."""
    close = ["-H", "Connection: close"] if mode == "short" else []
    with Nginx(prefixes[0], cpus[0]):
        client = [*prefixes[1], "taskset", "-c", str(cpus[1]), "wrk", "-t1", f"-c{CONNECTIONS[mode]}",
                  f"-d{max(1, round(seconds))}s", "--latency", *close, f"http://{server}:{PORT}/"]
        done = subprocess.run(client, stdout=subprocess.PIPE, text=True, timeout=seconds + LIMIT_S, check=True)
    return read_report(done.stdout)
