#!/usr/bin/env python3
"""Measures servers beside each other, and what it costs to build a program on the header; prints Markdown tables.

    tests/bench/bench.py [--cases NAMES] [--servers NAMES] [--server NAME='COMMAND {port}']... [--rounds N] [--quick]
                         [--patience SECONDS] [--keep FILE] [--readme]
    tests/bench/bench.py --cost [--rounds N] [--most RATIO] [--quick]

(make bench; some of it: make bench ARGS="--cases echo-1000,paced-64 --rounds 5"). The cases are told by load.cpp, the
client, which finds out, too, whether all was delivered; the events that a server needs by server.js.

Every run has a fresh server on the first core and the client on the second. A round has a run of each server, one
after the other; figures are medians over the rounds, ratios are medians of the ratios within a round: machines change
their speed by the minute. --keep FILE appends each run to the file, and makes the tables of all that is in it. --quick
has small sizes and short sections: it shows that all is delivered, its figures mean nothing. --readme puts the tables
into README.md. Exit code 1: something was not delivered, or a server did not start.

--cost (make cost) measures only what a build costs, with -O2 and -O0, and needs nothing but a compiler. Exit code 1: a
file of a program whose bodies are compiled elsewhere costs more than RATIO times what one on Asio and JSON alone costs.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import ROOT  # noqa: E402

OURS = "sio_demo"
SERVERS = {                                        # {port}: where to listen, at 127.0.0.1; {ping_interval}: in ms; {redis}: nothing, or a URL
    OURS: "build/bench_server {port} {ping_interval} {redis}",
    "socket.io": "node tests/bench/server.js {port} {ping_interval} {redis}",
}
REQUESTS = "socket.io-request#/bench#"             # the channel by which servers of a cluster count each other
CORES = sorted(os.sched_getaffinity(0))[:2]        # the server's, the client's
DEADLINE = 300                                     # seconds, of a run
SPARE_DESCRIPTORS = 100                            # what a process needs beside its clients
PACKAGE = os.path.join(ROOT, "tests/e2e/node_modules/socket.io/package.json")
MARKS = "<!-- bench -->", "<!-- /bench -->"


class Case(NamedTuple):
    operation: str                                 # what an operation is
    load: str                                      # load's case, and its options
    full: str
    quick: str
    cluster: int = 0                               # servers around a Redis; the last one is measured, client 0 is at the first


CASES = {
    "echo-1": Case("an event and its ack, of one client", "echo --clients 1", "", ""),
    "echo-100x10": Case("the same, 100 clients with 10 outstanding each", "echo --outstanding 10", "--clients 100", "--clients 20"),
    "echo-1000": Case("the same, 1,000 clients with one outstanding each", "echo", "--clients 1000", "--clients 100"),
    "binary-1000": Case("the same with 1 KiB of binary both ways", "binary --bytes 1024", "--clients 1000", "--clients 100"),
    "ask-1000": Case("the server's event and the client's ack, 1,000 clients", "ask", "--clients 1000", "--clients 100"),
    "paced-64": Case("a delivery to one of 1,000 clients, the next broadcast once all have it", "tick --bytes 64",
                     "--clients 1000", "--clients 100"),
    "blast-64": Case("a delivery to one of 1,000 clients, 200 broadcasts of 64 bytes at once", "tick --bytes 64",
                     "--clients 1000 --ticks 200", "--clients 50 --ticks 20"),
    "blast-4096": Case("the same with 4,096 bytes", "tick --bytes 4096", "--clients 1000 --ticks 200", "--clients 50 --ticks 20"),
    "room": Case("a delivery to one of the 1,000 clients in a room, of 10,000", "room --bytes 64",
                 "--clients 10000 --members 1000", "--clients 200 --members 20"),
    "rooms": Case("a delivery to one of 1,500 clients in two rooms of 1,000", "rooms --bytes 64",
                  "--clients 2000 --members 1000", "--clients 100 --members 40"),
    "except": Case("a delivery to one of 500 clients, all but those in a room", "except --bytes 64",
                   "--clients 1000 --members 500", "--clients 100 --members 50"),
    "relay": Case("a delivery of 4 KB of a client's JSON to one of the 1,000 in a room", "relay --bytes 4096",
                  "--clients 1001 --members 1000", "--clients 51 --members 50"),
    "connect": Case("a connection over WebSocket into a namespace, 64 at a time", "connect",
                    "--clients 5000 --warm-clients 500", "--clients 200 --warm-clients 20"),
    "polling": Case("a POST and a GET, 100 clients on HTTP long-polling", "polling", "--clients 100", "--clients 20"),
    "redis-out": Case("a delivery as in `blast-64`, by a server that publishes to a cluster, too", "tick --bytes 64",
                      "--clients 1000 --ticks 200", "--clients 50 --ticks 20", cluster=1),
    "redis-in": Case("the same, by a server that has the broadcasts of another one, through Redis", "tick --bytes 64",
                     "--clients 1001 --ticks 200", "--clients 51 --ticks 20", cluster=2),
    "redis-channel": Case("a message of another server, through Redis, to one client", "tick --bytes 64",
                          "--clients 2 --ticks 1000", "--clients 2 --ticks 20", cluster=2),
    "idle": Case("a heartbeat, 10,000 clients that wait", "idle", "--clients 10000", "--clients 200"),
}
FULL, QUICK = "--ms 3000 --warm-ms 1500", "--ms 200 --warm-ms 50"
ROWS = [(name, case.operation, "cpu_us", "µs") for name, case in CASES.items()]     # and the figure, and its unit
ROWS.append(("idle", "a client that waits, of 10,000: memory", "bytes_per_client", "B"))


class Trouble(Exception):
    """What a run ends with instead of figures."""


# ---- Processes -----------------------------------------------------------------------------------------------


def on_core(index):
    """What a child does first: it goes to its core, and may have all the descriptors there are."""
    def prepare():
        os.sched_setaffinity(0, {CORES[index % len(CORES)]})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return prepare


def free_port():
    """Below those that clients get."""
    for port in range(20000 + os.getpid() % 5000, 30000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise Trouble("no port from 20000 to 30000 is free")


class Server:
    """A server process that listens."""

    def __init__(self, command, core=0):
        self.log = tempfile.TemporaryFile()        # no pipe: it would fill up
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self.log, preexec_fn=on_core(core),
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()

    def wait(self, port, seconds=20.0, pause=0.02, question=b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer=b""):
        """Returns once it answers so: HTTP is answered, be it with 404; there is no session by it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                self.log.seek(0)
                said = self.log.read().decode(errors="replace").strip()
                raise Trouble(f"the server ended with {self.process.returncode} at once: {said[-300:] or 'without a word'}")
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    connection.sendall(question)
                    if answer in (connection.recv(4096) or b"nothing"):
                        return
            except OSError:
                pass
            time.sleep(pause)
        raise Trouble(f"the server answers nothing at port {port} after {seconds:g} s")


def words_of(command, port, redis=""):
    return shlex.split(command.replace("{port}", str(port)).replace("{ping_interval}", str(arguments.ping_interval)).replace("{redis}", redis))


def measure(command, load_arguments, cluster=0):
    """One run of one case against a fresh server: what load says. Raises Trouble."""
    with contextlib.ExitStack() as stack:
        def start(words, core=0):
            return stack.enter_context(Server(words, core))

        url, redis = "", None
        if cluster:
            redis_port = free_port()
            url = f"redis://127.0.0.1:{redis_port}"
            redis = start(["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], core=1)
            redis.wait(redis_port, question=b"PING\r\n", answer=b"PONG")
        port = 0
        for number in range(1, max(cluster, 1) + 1):
            first, port = port, free_port()
            last = number >= cluster
            server = start(words_of(command, port, url), core=0 if last else 1)
            server.wait(port)
        if cluster:
            redis.wait(redis_port, question=f"PUBSUB NUMSUB {REQUESTS}\r\n".encode(), answer=f"\r\n:{cluster}\r\n".encode())
        name, *options = shlex.split(load_arguments)
        options += ["--through", str(first)]
        load = subprocess.run(["build/load", name, str(port), str(server.process.pid), *options], cwd=ROOT, text=True, errors="replace",
                              capture_output=True, timeout=DEADLINE, preexec_fn=on_core(1), check=False)
    if load.returncode != 0:
        raise Trouble(load.stderr.strip() or f"the client ended with {load.returncode}")
    return json.loads(load.stdout)


def load_arguments_of(name):
    case = CASES[name]
    sizes = f"{case.quick} {QUICK}" if arguments.quick else f"{case.full} {FULL}"
    return f"{case.load} {sizes} --patience-ms {arguments.patience * 1000}"


def lacks_descriptors(name):
    """Why this case cannot be, or ''."""
    wanted = sum(map(int, re.findall(r"clients (\d+)", load_arguments_of(name)))) + SPARE_DESCRIPTORS
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return "" if wanted <= limit else f"`ulimit -Hn` allows {limit:,} files, {wanted:,} are needed"


# ---- What a build costs -----------------------------------------------------------------------------------------

# What every program pays that has these two libraries: the includes, and each of them used once.
FLOOR = """
{includes}
#include <chrono>
#include <cstdio>
int main() {{
  asio::io_context loop(1);
  asio::steady_timer timer(loop, std::chrono::seconds(1));
  timer.async_wait([](std::error_code) {{ std::puts("a second"); }});
  asio::ip::tcp::acceptor acceptor(loop, {{asio::ip::make_address("127.0.0.1"), 0}});
  acceptor.async_accept([](std::error_code error, asio::ip::tcp::socket) {{ std::puts(error ? "error" : "a client"); }});
  std::puts(nlohmann::json::parse("[1]").dump().c_str());
  loop.run();
}}
"""


def readme_server(port):
    """The first program of README.md, which listens at another port."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        block = re.search(r"^```cpp\n(.*?)^```", file.read(), re.M | re.S)
    source, ports = re.subn(r"\.port = \d+", f".port = {port}", block[1])
    if ports != 1:
        raise Trouble("the first program of README.md has no `.port = NUMBER`")
    return source


def floor_program():
    with open(os.path.join(ROOT, "sio_demo.hpp"), encoding="utf-8") as file:
        includes = re.findall(r"^#include <(?:asio|nlohmann)/.*>", file.read(), re.M)
    return FLOOR.format(includes="\n".join(includes))


def optimization():
    return "-O0" if arguments.quick else "-O2"


def compile_program(source, folder, *more, level=None):
    """Compiles it; CPU seconds and peak memory of the compiler, and what came out."""
    paths = {kind: os.path.join(folder, "program" + kind) for kind in (".cpp", ".o", "")}
    with open(paths[".cpp"], "w", encoding="utf-8") as file:
        file.write(source)
    cxx, flags = shlex.split(os.environ.get("CXX") or "g++"), shlex.split(os.environ.get("CPPFLAGS", ""))
    process = subprocess.Popen([*cxx, "-std=c++20", level or optimization(), "-pthread", "-I", ROOT, *flags, *more,
                                "-c", paths[".cpp"], "-o", paths[".o"]])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Trouble(f"{cxx[0]} ended with {process.returncode}")
    figures = {"seconds": usage.ru_utime + usage.ru_stime, "megabytes": usage.ru_maxrss / 1024, "object": os.path.getsize(paths[".o"]) / 1e3}
    if not more:
        subprocess.run([*cxx, "-pthread", "-s", paths[".o"], "-o", paths[""], *shlex.split(os.environ.get("LDFLAGS", ""))], check=True)
        figures["binary"] = os.path.getsize(paths[""]) / 1e3
    return figures


def start_up(command, port, times):
    """Milliseconds from the start of the process to its first answer."""
    def once():
        begin = time.monotonic()
        with Server(command) as server:
            server.wait(port, pause=0)
            return (time.monotonic() - begin) * 1e3
    return statistics.median(once() for _ in range(times))


APART = "bodies apart"                              # SIO_DEMO_SEPARATE: a file of ours compiles the bodies once


def build_round():
    """{program: figures}; starts of the official server stand beside ours."""
    port, times = free_port(), 3 if arguments.quick else 20
    with tempfile.TemporaryDirectory() as folder:
        floor = compile_program(floor_program(), folder)
        apart = compile_program(readme_server(port), folder, "-DSIO_DEMO_SEPARATE")
        ours = compile_program(readme_server(port), folder)
        ours["start_up"] = start_up([os.path.join(folder, "program")], port, times)
    official = {"start_up": start_up(["node", "tests/bench/server.js", str(port)], port, times)}
    return {OURS: ours, APART: apart, "floor": floor, "socket.io": official}


MOST = 1.8                                         # times what the floor costs: a file, its bodies apart
COST_PORT = 3000                                   # these programs are not started


def cost_round(level, turn):
    """{program: figures}; who is the first changes from round to round."""
    server = readme_server(COST_PORT)
    programs = [("floor", floor_program(), ()), (APART, server, ("-DSIO_DEMO_SEPARATE",)), (OURS, server, ())]
    first = turn % len(programs)
    with tempfile.TemporaryDirectory() as folder:
        return {name: compile_program(source, folder, *more, level=level) for name, source, more in programs[first:] + programs[:first]}


def too_dear(runs, case):
    """What costs more than it may, in words."""
    for what, figure, _ in COST_ROWS:
        times = float(ratio(runs, case, "floor", APART, figure))
        if times > arguments.most:
            yield (f"{case}, {what}: a file with the bodies apart costs {times:g} times what Asio and JSON alone cost, {arguments.most:g} is "
                   "the limit: take out of what every file includes what was added to it since, or move it to between #if SIO_DEMO_BODIES and #endif")


def medians_of(rounds):
    """How many rounds stand behind the figures, the fewest first: "Medians of 1-3 rounds." """
    return "One round." if rounds[-1] == 1 else f"Medians of {'-'.join(map(str, (rounds[0], *rounds[1:][-1:])))} rounds."


def cost():
    runs, wrong = [], []
    for level in ("-O0",) if arguments.quick else ("-O2", "-O0"):
        for turn in range(arguments.rounds):
            try:
                figures_of = cost_round(level, turn)
            except (Trouble, OSError, subprocess.SubprocessError) as error:
                sys.exit(f"bench.py: what a build costs was not measured: {error}; make the first program of README.md compile first")
            for program, figures in figures_of.items():
                note(runs, f"build {level}", program, turn + 1, figures)
        print(f"{cost_table(runs, f'build {level}', COST_ROWS, level)}\n", flush=True)
        wrong += too_dear(runs, f"build {level}")
    print(f"{medians_of([arguments.rounds])} {os.cpu_count()} cores, {compiler()[1]}")
    for words in wrong:
        print(f"FAILED: {words}")
    return 1 if wrong else 0


# ---- The rounds ---------------------------------------------------------------------------------------------------


def note(runs, case, server, number, result):
    """Keeps a run, and says how it went."""
    run = {"case": case, "server": server, "round": number, "result": result}
    runs.append(run)
    if arguments.keep:
        with open(arguments.keep, "a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
    if "error" in result:
        said = "FAILED: " + result["error"]
    elif case.startswith("build"):
        said = ", ".join(f"{name} {value:.4g}" for name, value in result.items())
    else:
        said = f"{result['cpu_us']:.3f} µs of the server's CPU an operation, {result['per_second']:,.0f} a second"
        if result["load_busy"] < 0.9 and not CASES[case].cluster:
            said += f" !!! somebody else used the client's core, it had {100 * result['load_busy']:.0f} % of it"
    print(f"{case}, round {number}, {server}: {said}", file=sys.stderr, flush=True)


def run_build(runs, number):
    try:
        results = build_round()
    except (Trouble, OSError, subprocess.SubprocessError) as error:
        results = {OURS: {"error": str(error)}}
    for server, result in results.items():
        note(runs, "build", server, number, result)


def run_case(runs, case, server, number):
    try:
        result = measure(SERVERS[server], load_arguments_of(case), CASES[case].cluster)
    except (Trouble, OSError, subprocess.SubprocessError) as error:
        result = {"error": str(error)}
    note(runs, case, server, number, result)


def run_all(runs, skipped):
    begin = int(time.time())
    for case in arguments.cases:
        why = "" if case == "build" else lacks_descriptors(case)
        if why:
            skipped[case] = why
            print(f"!!! {case} is left out: {why}", file=sys.stderr, flush=True)
            continue
        for turn in range(arguments.rounds):
            number = f"{begin}.{turn + 1}"         # unlike those of other runs with the same --keep
            if case == "build":
                run_build(runs, number)
                continue
            servers = [name for name in arguments.servers if not CASES[case].cluster or "{redis}" in SERVERS[name]]
            first = turn % (len(servers) or 1)     # who is the first changes from round to round
            for server in servers[first:] + servers[:first]:
                run_case(runs, case, server, number)


# ---- The tables ------------------------------------------------------------------------------------------------------


def values(runs, case, server, figure):
    """{round: value}"""
    return {run["round"]: run["result"][figure] for run in runs
            if run["case"] == case and run["server"] == server and figure in run["result"]}


def median(found, unit=""):
    """With three digits where there are more."""
    middle = statistics.median(found)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    return f"{middle:,.{digits}f} {unit}".strip()


def median_of(runs, case, server, figure, unit=""):
    found = values(runs, case, server, figure).values()
    return median(found, unit) if found else "failed"


def ratio(runs, case, ours, other, figure):
    """The median of those within a round."""
    mine, theirs = values(runs, case, ours, figure), values(runs, case, other, figure)
    ratios = [theirs[number] / mine[number] for number in mine if theirs.get(number) and mine[number]]
    return median(ratios) if ratios else "–"


def table(head, rows, texts):
    """The first columns are texts, the others numbers, which stand to the right."""
    line = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, line, *rows])


def speed_table(runs):
    servers = list(dict.fromkeys(run["server"] for run in runs if run["case"] != "build"))
    first = OURS if OURS in servers else servers[0]
    others = [server for server in servers if server != first]
    head = ["case", "an operation is", first]
    for other in others:
        head += [other, "times less"]
    head += [f"{server}, a second" for server in servers if server in (first, *others[:1])]
    rows = []
    for case, operation, figure, unit in ROWS:
        if not any(run["case"] == case for run in runs):
            continue
        row = [f"`{case}`", operation, median_of(runs, case, first, figure, unit)]
        for other in others:
            row += [median_of(runs, case, other, figure, unit), ratio(runs, case, first, other, figure)]
        row += ["" if case == "idle" else median_of(runs, case, server, "per_second") for server in (first, *others[:1])]
        rows.append(row)
    return table(head, rows, texts=2)


BUILD_ROWS = [("compiling, CPU time", "seconds", "s"), ("compiling, peak memory", "megabytes", "MB"),
              ("object file", "object", "kB"), ("program, stripped", "binary", "kB")]


COST_ROWS = BUILD_ROWS[:3]


def cost_table(runs, case, rows, level):
    def row(what, figure, unit):
        programs = ("floor", APART, OURS) if figure != "binary" else ("floor", OURS)
        texts = {program: median_of(runs, case, program, figure, unit) for program in programs}
        for program in programs[1:]:
            texts[program] += f" ({ratio(runs, case, 'floor', program, figure)} x)"
        return [what, *(texts.get(program, "") for program in ("floor", APART, OURS))]

    head = [f"the program of 12 lines, `{compiler()[0]} -std=c++20 {level}`", "Asio and JSON alone", "bodies in another file", "all in one file"]
    return table(head, [row(*columns) for columns in rows], texts=1)


def build_table(runs):
    start = [median_of(runs, "build", server, "start_up", "ms") for server in (OURS, "socket.io")]
    return (f"{cost_table(runs, 'build', BUILD_ROWS, optimization())}\n\n"
            f"From its start to its first answer it takes {start[0]}, the official server {start[1]}.")


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()


def compiler():
    """Its command and its version."""
    command = shlex.split(os.environ.get("CXX") or "g++")
    return os.path.basename(command[0]), first_line(*command, "--version")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    system = os.uname()
    parts = [f"{model[1] if model else system.machine}, {os.cpu_count()} cores, Linux {system.release.split('-')[0]}", compiler()[1]]
    if os.path.exists(PACKAGE):
        with open(PACKAGE, encoding="utf-8") as file:
            parts.append(f"Node {first_line('node', '--version')}, socket.io {json.load(file)['version']}")
    return "; ".join((*parts, time.strftime("%Y-%m-%d"))) + "."


def report(runs, skipped):
    parts = []
    if any(run["case"] != "build" for run in runs):
        parts.append(speed_table(runs))
    if any(run["case"] == "build" for run in runs):
        parts.append(build_table(runs))
    parts += [f"Not measured: `{case}`, {why}." for case, why in skipped.items()]
    rounds = sorted({len({run["round"] for run in runs if run["case"] == case}) for case in {run["case"] for run in runs}})
    if arguments.quick:
        parts.append("`--quick`: fewer clients than the table says, and short sections. The figures mean nothing.")
    parts.append(f"{medians_of(rounds)} {machine()}")
    return "\n\n".join(parts)


def write_readme(text):
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as file:
        before, begin, rest = file.read().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        sys.exit(f"bench.py: README.md has no lines {MARKS[0]} and {MARKS[1]} for the tables to go between")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}")


# ---- The command line ---------------------------------------------------------------------------------------------------


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join((*CASES, "build")), help="some of %(default)s")
    parser.add_argument("--servers", help=f"some of {','.join(SERVERS)} and those of --server; default: all of them")
    parser.add_argument("--server", action="append", default=[], metavar="NAME='COMMAND {port}'",
                        help="one more, or another one of this name")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="small sizes and short sections")
    parser.add_argument("--patience", type=int, default=60, metavar="SECONDS", help="how long a delivery may take; default: %(default)s")
    parser.add_argument("--keep", metavar="FILE", help="append the runs to it, and make the tables of all that is in it")
    parser.add_argument("--readme", action="store_true", help="write the tables into README.md")
    parser.add_argument("--cost", action="store_true", help="measure only what a build costs")
    parser.add_argument("--most", type=float, default=MOST, metavar="RATIO", help="of --cost; default: %(default)s")
    parsed = parser.parse_args()
    for added in parsed.server:
        name, _, command = added.partition("=")
        if not name or "{port}" not in command:
            parser.error(f"--server {added}: wants NAME='COMMAND {{port}}'")
        SERVERS[name] = command
    parsed.cases = [name for name in parsed.cases.split(",") if name]
    parsed.servers = parsed.servers.split(",") if parsed.servers else list(SERVERS)
    for names, known, what in ((parsed.cases, (*CASES, "build"), "case"), (parsed.servers, SERVERS, "server")):
        for name in names:
            if name not in known:
                parser.error(f"there is no {what} {name}; there are {', '.join(known)}")
    parsed.ping_interval = 1500 if parsed.quick else 25000
    return parsed


def main():
    if arguments.cost:
        return cost()
    official = "socket.io" in arguments.servers or "build" in arguments.cases
    if official and not (shutil.which("node") and os.path.exists(PACKAGE)):
        sys.exit("bench.py: the official server needs node and its package, which `make setup-test` installs; or leave it out: "
                 "--servers sio_demo, and --cases without build")
    if len(CORES) < 2:
        print("!!! one core only: server and client share it, and the figures mean little", file=sys.stderr)
    runs, skipped = [], {}
    if arguments.keep and os.path.exists(arguments.keep):
        with open(arguments.keep, encoding="utf-8") as file:
            runs = [json.loads(line) for line in file]
    run_all(runs, skipped)
    if not runs:
        sys.exit("bench.py: nothing was measured")
    text = report(runs, skipped)
    print(text, flush=True)
    if arguments.readme:
        write_readme(text)
    return 1 if any("error" in run["result"] for run in runs) else 0


if __name__ == "__main__":
    arguments = parse()
    sys.exit(main())
