#!/usr/bin/env python3
"""Runs test suites and closes with a line of counts.

    tests/run.py test  [SUITE...]     the suites of `make test`
    tests/run.py check [SUITE...]     every suite (`make check`)
    tests/run.py rest  [SUITE...]     what check has beyond test

Named suites run whatever the first word is. ONLY=PATTERN in the environment chooses tests by name within each suite: a
word or a regular expression, without regard to case. One suite alone shows its output as it comes; several show it
where something failed, and leave all of it in build/logs.

A suite is a row of SUITES. Those that mostly wait are built first and run beside the builds of the others, which follow
two at a time. Those that measure time run last, alone. A suite that does not build, crashes,
hangs or runs nothing counts as one failure, and so does each report of a sanitizer.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from common import CXX, JOBS, ONLY, ROOT, environment, precompiled_path

LOGS = os.path.join(ROOT, "build/logs")
REPORTS = os.path.join(ROOT, "build/sanitize/reports")
LANES = 2                                          # suites of a kind that run at a time
MOST_LINES = 400                                   # of a failed suite that are shown


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


# ---- How each kind of suite states its counts (None: it did not) ---------------------------------------


def doctest_counts(output: str) -> Optional[Counts]:
    """[doctest] test cases: 12 | 11 passed | 1 failed | 3 skipped"""
    rows = re.findall(r"^\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed \| +(\d+) skipped", output, re.M)
    return Counts(*map(int, rows[-1])) if rows else None


def node_counts(output: str) -> Optional[Counts]:
    """`# pass 12` of Node's TAP reporter or `ℹ pass 12` of its spec reporter; the last ones are the sums."""
    sums = dict(re.findall(r"^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$", output, re.M))
    if "pass" not in sums or "fail" not in sums:
        return None
    count = {name: int(number) for name, number in sums.items()}
    return Counts(count["pass"], count["fail"] + count.get("cancelled", 0), count.get("skipped", 0) + count.get("todo", 0))


def own_counts(output: str) -> Optional[Counts]:
    """`12 passed, 1 failed`, alone on a line, as our own scripts print it."""
    rows = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.M)
    return Counts(*(int(number or 0) for number in rows[-1])) if rows else None


# ---- The suites -----------------------------------------------------------------------------------------


@dataclass
class Suite:
    name: str
    level: str                                     # "test", or "check" for what that alone runs
    command: List[str]
    counts: Callable[[str], Optional[Counts]] = own_counts
    build: List[str] = field(default_factory=list)  # make's targets
    folder: str = "."                              # where the command is started
    minutes: int = 10                              # when it is given up
    waits: bool = False                            # it hardly computes: it may run beside others
    alone: bool = False                            # it measures time: nothing may run beside it
    sanitized: bool = False                        # its programs are those of build/sanitize


def files(*patterns: str) -> List[str]:
    """The test files of tests/e2e that match, relative to it."""
    e2e = os.path.join(ROOT, "tests/e2e")
    return [os.path.relpath(path, e2e) for pattern in patterns for path in sorted(glob.glob(os.path.join(e2e, pattern)))]


def node(name: str, level: str, tests: List[str], programs: List[str], at_once: int = 2, **more) -> Suite:
    """A suite of files of tests/e2e, of which some run at once."""
    build = [f"build/sanitize/{program}" if more.get("sanitized") else "sio_demo" if program == "sio_demo" else f"build/{program}"
             for program in programs]
    return Suite(name, level, ["node", "--test", f"--test-concurrency={at_once}", "--test-reporter=spec", *tests], node_counts, build,
                 "tests/e2e", waits=True, **more)


def unit(name: str, level: str, folder: str) -> Suite:
    words = [f"--test-case={','.join(f'*{word}*' for word in ONLY.split('|'))}"] if ONLY else []
    return Suite(name, level, [f"{folder}/unit_tests", "--no-colors=true", *words], doctest_counts, [f"{folder}/unit_tests"],
                 sanitized=folder == "build/sanitize")


def python(name: str, level: str, *words: str, **more) -> Suite:
    return Suite(name, level, [sys.executable, *words], **more)


PCH = precompiled_path(CXX[0])
PROGRAMS = [os.path.basename(path)[:-len(".cpp")] for path in glob.glob(os.path.join(ROOT, "tests/e2e/*/*.cpp"))] + ["abuse_server"]
E2E = [path for path in files("client/*.test.js", "demo/*.test.js", "engine/*.test.js") if path != "demo/defaults.test.js"]  # it waits long

SUITES: List[Suite] = [
    node("wire", "test", files("wire/*.test.js"), ["compared_server"]),
    node("e2e", "test", E2E, ["sio_demo", "features_server", "engine_server", "types"]),
    python("lint", "test", "tests/lint.py", minutes=2),
    python("setup", "test", "tests/setup_test.py", minutes=2),
    python("compile", "test", "tests/compile/run.py", "--core", build=[PCH]),
    python("readme", "test", "tests/readme.py", "--first", build=["sio_demo", PCH]),
    unit("unit", "test", "build"),

    node("cluster", "check", files("cluster/*.test.js", "proxy/*.test.js"), ["sio_demo", "cluster_server"], 3, sanitized=True, minutes=15),
    node("browser", "check", files("browser/*.test.js"), ["sio_demo", "features_server"], 1, sanitized=True),
    node("e2e-all", "check", E2E + files("demo/defaults.test.js", "other_clients/*.test.js", "wire/*.test.js"),
         ["sio_demo", "compared_server", "features_server", "engine_server", "types"], sanitized=True, minutes=15),
    python("tidy", "check", "tests/lint.py", "--tools"),
    unit("unit-sanitized", "check", "build/sanitize"),
    python("handlers", "check", "tests/handlers/run.py", build=["build/sanitize/handlers"], sanitized=True),
    python("compile-rest", "check", "tests/compile/run.py", "--rest", build=["build/bodies.o", PCH], minutes=15),
    python("matrix", "check", "tests/matrix/run.py", minutes=20),
    python("readme-rest", "check", "tests/readme.py", "--rest", build=["sio_demo", PCH]),
    python("workshop", "check", "tests/workshop/run.py", build=[PCH]),
    python("ways", "check", "tests/ways/run.py"),
    python("fuzz", "check", "tests/fuzz/run.py", "--replay", build=["build/fuzz/replay"]),
    Suite("abuse", "check", ["node", "tests/abuse/run.js"], build=["build/sanitize/abuse_server", "build/sanitize/sio_demo"], minutes=15,
          alone=True, sanitized=True),
    python("storm-sanitized", "check", "tests/bench/storm.py", "--small", "--server", "build/sanitize/storm_server",
           build=["build/storm", "build/sanitize/storm_server"], sanitized=True),
    # What a sanitizer forbids, and what measures memory, of which a sanitizer says nothing.
    Suite("abuse-plain", "check", ["node", "tests/abuse/run.js", "--only", "F1,F6,4,8,58,71,85,92,110,112,117,128,F8"],
          build=["build/abuse_server", "sio_demo"], alone=True),
    python("storm", "check", "tests/bench/storm.py", "--small", build=["build/storm", "build/storm_server"], alone=True),
    python("bench", "check", "tests/bench/selftest.py", build=["build/bench_server", "build/load"], alone=True),
]
if sys.platform != "linux":                        # their clients need epoll
    SUITES = [suite for suite in SUITES if suite.name not in ("storm", "storm-sanitized", "bench")]


# ---- Running one ----------------------------------------------------------------------------------------


def run(command: List[str], folder: str, minutes: float, env: dict, show: Callable[[str], None]) -> Tuple[str, str]:
    """Runs a command; its output, and what went wrong ('' when nothing did)."""
    process = subprocess.Popen(command, cwd=os.path.join(ROOT, folder), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True, encoding="utf-8", errors="replace")
    started.add(process.pid)
    lines = []

    def read():
        for line in process.stdout:
            lines.append(line)
            show(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        status = process.wait(minutes * 60)
        wrong = f"exit code {status}" if status > 0 else f"died of {signal.Signals(-status).name}" if status else ""
        reader.join(5)
        if reader.is_alive():                       # a process that holds the pipe was left behind
            wrong = wrong or "left processes behind"
    except subprocess.TimeoutExpired:
        wrong = f"did not end within {minutes:g} minutes"
    finally:
        end(process.pid)
    process.wait()
    reader.join(5)
    return "".join(lines), wrong


started: set = set()                               # process groups, to be ended when we are interrupted


def end(group: int):
    started.discard(group)
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Runner:
    def __init__(self, suites: List[Suite]):
        self.suites, self.live = suites, len(suites) == 1   # one suite shows what it prints
        self.lock, self.start = threading.Lock(), time.monotonic()
        self.results: Dict[str, Tuple[Counts, float]] = {}

    def environment(self, suite: Suite) -> dict:
        env = environment()
        build = os.path.join(ROOT, "build/sanitize" if suite.sanitized else "build")
        env["SIO_DEMO_BINARY"] = os.path.join(build if suite.sanitized else ROOT, "sio_demo")
        for program in PROGRAMS:
            env[f"SIO_{program.upper()}_BINARY"] = os.path.join(build, program)
        env["PATH"] += f":/usr/sbin:{ROOT}/build/tools"  # servers that tests/setup has unpacked
        if suite.sanitized:
            log = f"log_path={REPORTS}/{suite.name}:exitcode=99"
            env["ASAN_OPTIONS"] = f"detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:{log}"
            env["UBSAN_OPTIONS"] = f"print_stacktrace=1:{log}"
        return env

    def show(self, line: str):
        if self.live:
            print(line, end="", flush=True)

    def make(self, what: str, suites: List[Suite], *flags: str) -> str:
        """Builds what suites need; what went wrong."""
        targets = list(dict.fromkeys(target for suite in suites for target in suite.build))
        if not targets:
            return ""
        self.say(f"{'build':6}  {what}")
        # Suites that wait run meanwhile, and their servers answer in time only if compilers come second.
        output, wrong = run(["nice", "-n", "10", "make", "--no-print-directory", f"-j{JOBS}", *flags, *targets], ".", 20, environment(), self.show)
        return f"make {' '.join(targets)}: {wrong}\n{output[-20000:]}" if wrong else ""

    def run(self, suite: Suite):
        """Runs a suite that is built, and reports it."""
        begin = time.monotonic()
        self.say(f"{'run':6}  {suite.name}")
        try:
            output, wrong = run(suite.command, suite.folder, suite.minutes, self.environment(suite), self.show)
        except OSError as error:
            output, wrong = "", str(error)
        counts = suite.counts(output)
        problems = []
        if counts is None:
            problems.append(f"{wrong or 'ended'} without counts")
        elif wrong and not (wrong.startswith("exit code") and counts.failed):   # else the counts say it already
            problems.append(wrong)
        elif counts.passed + counts.failed == 0 and not ONLY:
            problems.append("ran nothing")
        for report in sorted(glob.glob(os.path.join(REPORTS, f"{suite.name}.*"))) if suite.sanitized else []:
            with open(report, encoding="utf-8", errors="replace") as file:
                problems.append(f"sanitizer report\n{''.join(file.readlines()[:150])}")
            os.remove(report)
        counts = counts or Counts()
        if ONLY:
            counts = counts._replace(skipped=0)     # the tests that were not chosen
        self.report(suite, counts, problems, output, time.monotonic() - begin)

    def report(self, suite: Suite, counts: Counts, problems: List[str], output: str, seconds: float):
        counts = counts._replace(failed=counts.failed + len(problems))
        with open(os.path.join(LOGS, f"{suite.name}.txt"), "w", encoding="utf-8") as file:
            file.write(output + "".join(f"FAILED: {problem}\n" for problem in problems))
        self.results[suite.name] = counts, seconds
        text = ""
        if counts.failed and not self.live:
            lines = [line for line in output.splitlines() if not re.match(r"\s*(ok\b|✔|﹣)", line)]
            text = "\n".join(["", *(["..."] if len(lines) > MOST_LINES else []), *lines[-MOST_LINES:]])
        text += "".join(f"\nFAILED: {suite.name}: {problem}" for problem in problems)
        self.say(f"{'not ok' if counts.failed else 'ok':6}  {suite.name:15}  {counts} ({seconds:.0f} s){text}")

    def say(self, text: str):
        with self.lock:
            print(f"{time.monotonic() - self.start:5.0f} s  {text}", flush=True)

    def all(self):
        """Builds and runs everything: first the suites that wait, beside the builds of the others, then those."""
        waits = [suite for suite in self.suites if suite.waits]
        others = [suite for suite in self.suites if not suite.waits]
        alone = []
        with Lanes(LANES) as waiting, Lanes(LANES) as computing:
            for suite in waits:
                self.begin(suite, waiting.submit)
            if len(others) > 1:
                self.make("all that the other suites need", others, "-k")   # what fails is told where it is needed
            for suite in others:
                self.begin(suite, (lambda _, suite: alone.append(suite)) if suite.alone else computing.submit)
        for suite in alone:
            self.run(suite)

    def begin(self, suite: Suite, submit: Callable):
        """Builds a suite and submits its run."""
        begin = time.monotonic()
        wrong = self.make(suite.name, [suite])
        if wrong:
            self.report(suite, Counts(), [wrong], "", time.monotonic() - begin)
        else:
            submit(self.run, suite)


class Lanes(concurrent.futures.ThreadPoolExecutor):
    """Runs some suites at a time. At its end, what a run has thrown is thrown; when we are interrupted, no more begin."""

    def __enter__(self):
        self.futures = []
        return self

    def submit(self, *what):
        self.futures.append(super().submit(*what))

    def __exit__(self, kind, value, trace):
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)
        for future in self.futures if kind is None else ():
            future.result()


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs test suites.")
    parser.add_argument("level", choices=("test", "check", "rest"))
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    chosen = parser.parse_args()
    unknown = set(chosen.suites) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(suite.name for suite in SUITES)}")
    levels = {"test": ("test",), "check": ("test", "check"), "rest": ("check",)}[chosen.level]
    suites = [suite for suite in SUITES if (suite.name in chosen.suites if chosen.suites else suite.level in levels)]

    setup = "check" if any(suite.level == "check" for suite in suites) else "test"
    if subprocess.run(["tests/setup", setup], cwd=ROOT, env=environment()).returncode != 0:
        print("0 passed, 1 failed")
        return 1
    for folder in (LOGS, REPORTS):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)

    runner = Runner(suites)
    try:
        runner.all()
    except KeyboardInterrupt:
        for group in list(started):
            end(group)
        raise
    total = Counts(*(sum(column) for column in zip(*(counts for counts, _ in runner.results.values())))) if suites else Counts()
    if not total.passed and not total.failed:
        total = total._replace(failed=1)
        print(f"no test has a name that matches {ONLY}" if ONLY else "there is nothing to run")
    print(f"\n{total}", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
