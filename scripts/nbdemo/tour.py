"""The scripted tour: each step prints what a person would type, what came out, and fails with a reason."""
import contextlib
import hashlib
import json
import select
import subprocess
import time

from .common import SERVER, Failure, ended_how

PATTERN = bytes(range(251))  # byte i of /bytes/N is i mod 251


class Tour:
    FLOWS = 8
    DOWNLOAD_BYTES = 10 * 1024 * 1024
    RULES_S = 10

    def __init__(self, demo):
        self.demo = demo

    def inside(self, *args):
        """Run a command inside the namespace; its output as bytes."""
        done = subprocess.run([*self.demo.prefix(), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.demo.environment(), timeout=30)
        if done.returncode != 0:
            raise Failure(f"{' '.join(args)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def shown(self, *args):
        print(f"\n$ {' '.join(args)}", flush=True)
        out = self.inside(*args)
        print(out.decode(errors="replace").rstrip("\n"), flush=True)
        return out

    def objects(self, *args):
        """The same question as JSON."""
        return json.loads(self.inside("netbypassctl", "-j", *args))

    def requests(self):
        body = self.shown("curl", "-sS", "--fail", f"http://{SERVER}/")
        if len(body) != 64:
            raise Failure(f"GET / has {len(body)} bytes, not 64")
        n = self.DOWNLOAD_BYTES
        print(f"\n$ curl -sS http://{SERVER}/bytes/{n} | sha256sum", flush=True)
        got = hashlib.sha256(self.inside("curl", "-sS", "--fail", f"http://{SERVER}/bytes/{n}")).hexdigest()
        want = hashlib.sha256((PATTERN * (n // len(PATTERN) + 1))[:n]).hexdigest()
        print(got, flush=True)
        if got != want:
            raise Failure(f"/bytes/{n}: SHA-256 is {got}, should be {want}")

    @contextlib.contextmanager
    def open_flows(self):
        """Downloads that are under way and go no further than their pipe lets them."""
        curls = [subprocess.Popen([*self.demo.prefix(), "curl", "-sS", "--fail", f"http://{SERVER}/bytes/1000000000"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(self.FLOWS)]
        try:
            for curl in curls:
                if not curl.stdout.read(1):
                    raise Failure(f"a download did not begin (curl: {ended_how(curl.wait())})")
            yield
        finally:
            for curl in curls:
                curl.kill()
                curl.stdout.close()
                curl.wait()

    def wait_for_rules(self):
        """Under policy exact, until every flow has its rule: they get it when they are old enough."""
        if self.objects("config", "show")["steering"]["policy"] != "exact":
            return
        deadline = time.monotonic() + self.RULES_S
        while any(flow["method"] != "exact" for flow in self.objects("flow", "list")):
            if time.monotonic() > deadline:
                raise Failure(f"not every flow has a rule after {self.RULES_S} s; netbypassctl -s flow list says why")
            select.select([], [], [], 0.05)

    def flows(self):
        with self.open_flows():
            self.wait_for_rules()
            for words in (("flow", "list"), ("rule", "list"), ("rule", "table"), ("worker", "list"), ("port", "show")):
                self.shown("netbypassctl", *words)
            flows = self.objects("flow", "list")
        if len(flows) < self.FLOWS:
            raise Failure(f"{self.FLOWS} downloads are open, flow list shows {len(flows)} flows")
        for flow in flows:
            if flow["queue"] != flow["worker"]:
                raise Failure(f"flow {flow['id']} belongs to worker {flow['worker']}, its packets arrive on queue "
                              f"{flow['queue']}")

    def take(self):
        started = time.monotonic()
        self.requests()
        self.flows()
        print(f"\nEvery request was answered, every flow's packets arrived on its owner's queue "
              f"({time.monotonic() - started:.1f} s).", flush=True)
