#!/usr/bin/env python3
"""Throws storms of clients at a server, looks at what they do to it, and prints a row for each.

    tests/bench/storm.py [--small] [--official] [--server PROGRAM] [--client PROGRAM] [--verbose] [TEST...]

(make storm; some of it: make storm ARGS="churn jitter"). The tests are storm, churn, comeback, jitter and avalanche;
what each does is told by storm.cpp, the client. --small takes less than a minute, and is the suite `storm`. ONLY chooses
tests by name.
--official has the official server (storm_server.js) do the same where it can, beside; its rows are not checked.
Server and client are processes of their own, so that each has a limit of descriptors of its own.
"""

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import ROOT, chosen  # noqa: E402

FULL = {
    "storm": {"clients": 18000, "beats": 3, "interval": 10000},
    "avalanche": {"clients": 18000, "patience": 180, "down": 2},
    "jitter": {"clients": 1000, "seconds": 30},
    "churn": {"sessions": 50000, "rounds": 10, "at-a-time": 500},
    "comeback": {"sessions": 1000, "rounds": 5, "at-a-time": 100},
}
SMALL = {
    "storm": {"clients": 1000, "beats": 2, "interval": 1500},
    "avalanche": {"clients": 500, "patience": 40, "down": 1},
    "jitter": {"clients": 100, "seconds": 8},
    "churn": {"sessions": 2000, "rounds": 2, "at-a-time": 200},
    "comeback": {"sessions": 250, "rounds": 5, "at-a-time": 100},
}
SPARE_DESCRIPTORS = 200            # what a process needs beside its clients
PLATEAU_ROUNDS, MAY_GROW = 3, 1.10


class Trouble(Exception):
    """What ends a test before its row is complete."""


class Server:
    """A server process; flags are those of storm_server."""

    def __init__(self, command, **flags):
        self.command = command
        self.flags = [word for name, value in flags.items() for word in ("--" + name.replace("_", "-"), str(value))]
        self.port, self.process = 0, None
        self.start()

    def start(self):
        self.process = subprocess.Popen([*self.command, str(self.port), *self.flags], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        match = re.fullmatch(r"listening \S+:(\d+)", self.process.stdout.readline().strip())
        if not match:
            self.kill()
            raise Trouble("the server does not start")
        self.port = int(match[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def get(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Connection": "close"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{what}:\s*(\d+) kB", status.read(), re.M)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def settle(self, descriptors, patience=30):
        """Waits until nobody is left; returns the counts, and what is not as it was before anybody came."""
        end = time.monotonic() + patience
        while True:
            counts, open_ones = self.get("/counts"), self.descriptors()
            left = {name: counts[name] for name in ("sessions", "sockets", "rooms") if counts[name]}
            if open_ones != descriptors:
                left["descriptors"] = open_ones - descriptors
            if not left or time.monotonic() > end:
                return counts, [f"left behind: {number} {what}" for what, number in left.items()]
            time.sleep(0.2)

    def stop(self):
        """Asks it to end; what is wrong with how it did."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            return ["the server does not end"]
        return [f"the server ended with {code}"] if code else []

    def kill(self):
        self.process.kill()
        self.process.wait()


class Client:
    """The load client; its reports are read one by one."""

    def __init__(self, program, mode, server, **options):
        words = [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]
        self.process = subprocess.Popen([program, mode, str(server.port), *words], text=True, cwd=ROOT,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def report(self, what):
        line = self.process.stdout.readline()
        if not line:
            raise Trouble(f"the client ended with {self.process.wait()} before it said '{what}'")
        if arguments.verbose:
            print("    " + line.rstrip(), flush=True)
        said = json.loads(line)
        if said["what"] != what:
            raise Trouble(f"the client said '{said['what']}' instead of '{what}'")
        return said

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        self.process.communicate(timeout=60)


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


def kinds(failures):
    return [f"{times:g} x {kind}" for kind, times in failures.items()]


def unless(good, complaint):
    return [] if good else [complaint]


# ---- The tests: each gives what was thrown, what happened, and what is wrong with it ------------------------


def storm(server_command, size):
    clients = possible(size["clients"])
    with Server(server_command, ping_interval=size["interval"], ping_timeout=20000) as server:
        server.get("/counts")
        memory, descriptors = server.memory(), server.descriptors()
        with Client(arguments.client, "storm", server, clients=clients, beats=size["beats"]) as client:
            served = client.report("served")
            held = client.report("held")
            client.end()
        peak = server.memory("VmHWM")
        each = (peak - memory) / clients
        _, wrong = server.settle(descriptors)
        wrong += kinds(served["failures"]) + kinds(held["failures"]) + server.stop()
    wrong += unless(served["served"] == clients, f"{served['served']} served")
    wrong += unless(held["answered_again"] == clients, f"{held['answered_again']} answered after the hold")
    wrong += unless(held["beats"] >= size["beats"], f"only {held['beats']} heartbeats")
    return (f"{clients:,} clients, {served['window']:,} handshakes at a time",
            f"connected in {served['to_connected']:.2f} s, served in {served['to_served']:.2f} s, slowest "
            f"{served['slowest']:.2f} s; held for {held['beats']} heartbeats ({held['for']:.0f} s), {held['there']:,} there; "
            f"peak {megabytes(peak)}, {each:,.0f} bytes a client", wrong)


def avalanche(server_command, size, kill=True):
    clients = possible(size["clients"])
    with Server(server_command) as server:
        server.get("/counts")
        descriptors = server.descriptors()
        with Client(arguments.client, "avalanche", server, clients=clients, patience=size["patience"]) as client:
            served = client.report("served")
            client.report("ready")
            wrong = kinds(served["failures"])
            if kill:
                server.kill()
            else:
                wrong += server.stop()
            time.sleep(size["down"])       # long enough for attempts that find nobody
            server.start()
            back = client.report("back")
            counts = server.get("/counts")
            client.go_on()
            client.end()
        peak = server.memory("VmHWM")
        wrong += server.settle(descriptors)[1] + server.stop()
    wrong += unless(back["lost"] == clients, f"{back['lost']} lost the connection")
    wrong += unless(back["served"] == clients, f"{back['served']} served again")
    wrong += unless(counts["sessions"] == clients, f"{counts['sessions']} sessions on the server")
    return (f"{clients:,} clients, the server {'killed' if kill else 'ended by SIGTERM'} and started {size['down']} s later",
            f"{100 * back['served'] / clients:g} % back and served {back['to_served']:.2f} s after the loss, "
            f"{back['attempts']:,} attempts; peak {megabytes(peak)}", wrong)


def avalanche_in_order(server_command, size):
    return avalanche(server_command, size, kill=False)


def jitter(server_command, size, recovery=True):
    clients, flags = possible(size["clients"]), {"recovery": 120000} if recovery else {}
    with Server(server_command, **flags) as server:
        server.get("/counts")
        descriptors = server.descriptors()
        with Client(arguments.client, "jitter", server, clients=clients, seconds=size["seconds"]) as client:
            got = client.report("delivered")
            client.end()
        peak = server.memory("VmHWM")
        wrong = server.settle(descriptors)[1] + server.stop()
    share = 100 * got["delivered"] / got["expected"]
    wrong += kinds(got["failures"])
    wrong += unless(got["there"] == got["clients"], f"{got['there']} came back")
    wrong += unless(got["duplicates"] == got["out_of_order"] == 0, "duplicates, or out of order")
    if recovery:
        wrong += unless(got["delivered"] == got["expected"], f"{got['expected'] - got['delivered']:,} events missing")
        wrong += unless(got["anew"] == 0, f"{got['anew']} not recovered")
    return (f"{got['clients']:,} clients, {got['events']} events to each, {got['cuts']:,} cuts "
            f"({got['early_cuts']:,} of them in the handshake)",
            f"{share:.6g} % delivered, {got['duplicates']} twice, {got['out_of_order']} out of order; "
            f"{got['recovered']:,} recovered, {got['anew']:,} anew; peak {megabytes(peak)}", wrong)


def jitter_without_recovery(server_command, size):
    return jitter(server_command, size, recovery=False)


def churn(server_command, size, mode="churn", **flags):
    memory, took, wrong = [], 0, []
    with Server(server_command, ping_interval=1500, ping_timeout=1000, connect_timeout=2000, **flags) as server:
        server.get("/counts")
        descriptors = server.descriptors()
        with Client(arguments.client, mode, server, **size) as client:
            for number in range(1, size["rounds"] + 1):
                report = client.report("round")
                wrong += [f"round {number}: {what}" for what in kinds(report["failures"])]
                took += report["took"]
                counts, left = server.settle(descriptors)
                wrong += [f"round {number}: {what}" for what in left]
                memory.append(server.memory())
                client.go_on()
            client.end()
        wrong += server.stop()
    for kind in ("session", "socket"):
        came, went = [counts[f"{kind}s_{how}"] for how in (("opened", "closed") if kind == "session" else ("joined", "left"))]
        wrong += unless(came == went, f"{came} {kind}s came, {went} went")
    if not sanitized():
        plateau = max(memory[:min(PLATEAU_ROUNDS, len(memory) - 1)])
        wrong += unless(memory[-1] <= plateau * MAY_GROW, f"memory grew from {megabytes(plateau)} to {megabytes(memory[-1])}")
    return (f"{size['sessions']:,} sessions" + (f" ended in {report['ways']} ways" if mode == "churn" else " that come back 100 times") +
            f", {size['at-a-time']} at a time",
            f"{counts['sessions_opened']:,} opened and closed in {took:.0f} s; memory after each round "
            f"{' '.join(f'{size / 1e6:.1f}' for size in memory)} MB", wrong)


def churn_with_recovery(server_command, size):
    """What is kept of who may come back is bounded; the bound is met in the first round."""
    return churn(server_command, size, recovery=600000, recovery_keeps=2 * size["at-a-time"])


def comeback(server_command, size):
    """Who has come back leaves nothing behind."""
    return churn(server_command, size, mode="comeback", recovery=600000)


# ---- Running them -----------------------------------------------------------------------------------------------


def sanitized():
    return "ASAN_OPTIONS" in os.environ


def possible(clients):
    """As many of these clients as the limit of descriptors allows; says so if it is not all of them."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_DESCRIPTORS
    if clients > limit:
        print(f"!!! ulimit -n allows {limit:,} clients only, instead of {clients:,}", flush=True)
    return min(clients, limit)


TESTS = {
    "storm": [("storm", storm)],
    "churn": [("churn", churn), ("churn, recovery", churn_with_recovery)],
    "comeback": [("comeback", comeback)],
    "jitter": [("jitter", jitter), ("jitter, no recovery", jitter_without_recovery)],
    "avalanche": [("avalanche", avalanche), ("avalanche, in order", avalanche_in_order)],
}
NOT_OF_THE_OFFICIAL_ONE = ("churn", "churn, recovery", "comeback", "avalanche, in order")


def row(name, test, server_command, size):
    """Runs one and prints its row; whether all was well."""
    try:
        thrown, happened, wrong = test(server_command, size)
    except (Trouble, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
        thrown, happened, wrong = "", "", [f"{type(error).__name__}: {error}"]
    print(f"{'FAILED' if wrong else 'ok':6}  {name:28}  {thrown}: {happened}", flush=True)
    for complaint in wrong:
        print(f"        {complaint}", flush=True)
    return not wrong


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    passed = failed = 0
    for wanted in arguments.tests or TESTS:
        size = (SMALL if arguments.small else FULL)[wanted]
        for name, test in TESTS[wanted]:
            if not chosen(name):
                continue
            if row(name, test, [arguments.server], size):
                passed += 1
            else:
                failed += 1
            if arguments.official and name not in NOT_OF_THE_OFFICIAL_ONE:
                row(name + " (official)", test, ["node", "tests/bench/storm_server.js"], size)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--small", action="store_true")
parser.add_argument("--official", action="store_true")
parser.add_argument("--verbose", action="store_true")
parser.add_argument("--server", default=os.path.join(ROOT, "build/storm_server"))
parser.add_argument("--client", default=os.path.join(ROOT, "build/storm"))
parser.add_argument("tests", nargs="*", metavar="TEST")
arguments = parser.parse_args()
unknown = set(arguments.tests) - set(TESTS)
if unknown:
    parser.error(f"no such test: {', '.join(sorted(unknown))}; there are {', '.join(TESTS)}")
sys.exit(main())
