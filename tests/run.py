#!/usr/bin/env python3
"""Runs the test suites one after the other and closes with a line of counts.

    tests/run.py [--sanitize] [SUITE...]      (make test, make test-sanitize; all suites when none is named)

A suite is a row of SUITES: what must exist, what make must build, a command, how the command's output
states its counts. A suite whose files are missing, that does not build, crashes, hangs or runs nothing
counts as one failure. With --sanitize the programs under test are built by AddressSanitizer and
UndefinedBehaviorSanitizer into build/sanitize/, and each report they leave counts as one failure.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SANITIZE = "--sanitize" in sys.argv[1:]
BUILD = "build/sanitize" if SANITIZE else "build"
DEMO = "build/sanitize/sio_demo" if SANITIZE else "sio_demo"
REPORTS = os.path.join(ROOT, "build/sanitize/reports")


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
    rows = re.findall(r"^\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed \| +(\d+) skipped",
                      output, re.M)
    return Counts(*map(int, rows[-1])) if rows else None


def node_counts(output: str) -> Optional[Counts]:
    """`# pass 12` of Node's TAP reporter or `ℹ pass 12` of its spec reporter; the last ones are the sums."""
    sums = dict(re.findall(r"^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$", output, re.M))
    if "pass" not in sums or "fail" not in sums:
        return None
    count = {name: int(number) for name, number in sums.items()}
    return Counts(count["pass"], count["fail"] + count.get("cancelled", 0),
                  count.get("skipped", 0) + count.get("todo", 0))


def own_counts(output: str) -> Optional[Counts]:
    """`12 passed, 1 failed`, alone on a line, as our own scripts print it."""
    rows = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.M)
    return Counts(*(int(number or 0) for number in rows[-1])) if rows else None


# ---- The suites -----------------------------------------------------------------------------------------


@dataclass
class Suite:
    name: str
    needs: List[str]                                # patterns of files without which it cannot run
    build: List[str]                                # make's targets
    command: List[str]                              # a pattern with a * stands for the files it matches
    counts: Callable[[str], Optional[Counts]]
    folder: str = "."                               # where the command is started
    minutes: int = 10                               # when it is given up
    sanitized: bool = False                         # part of --sanitize, too
    without: Tuple[str, ...] = ()                   # files that a * in the command does not stand for


PROGRAMS = [os.path.basename(path)[:-len(".cpp")] for path in sorted(glob.glob(os.path.join(ROOT, "tests/e2e/*.cpp")))]
CLUSTER = ("cluster.test.js", "cluster-faults.test.js", "demo-cluster.test.js", "nginx.test.js", "caddy.test.js")
BROWSER = ("browser-page.test.js", "browser-client.test.js")

SUITES = [
    Suite("lint", ["tests/lint.py", "sio_demo.hpp", "main.cpp", "README.md", "Makefile"], [],
          [sys.executable, "tests/lint.py", "--selftest"], own_counts, minutes=2),
    Suite("unit", ["tests/unit/main.cpp", "tests/unit/*.cpp"], [f"{BUILD}/unit_tests"],
          [f"{BUILD}/unit_tests", "--no-colors=true"], doctest_counts, sanitized=True),
    Suite("inside", ["tests/unit/main.cpp", "tests/unit/redis_test.cpp"], [f"{BUILD}/inside_tests"],
          [f"{BUILD}/inside_tests", "--no-colors=true"], doctest_counts, sanitized=True),
    Suite("compile", ["sio_demo.hpp", "main.cpp"], [],
          [sys.executable, "tests/compile/run.py"], own_counts, minutes=25),
    Suite("matrix", ["tests/matrix/smoke.js", "sio_demo.hpp", "main.cpp"], [],
          [sys.executable, "tests/matrix/run.py"], own_counts, minutes=25),
    Suite("readme", ["README.md"], [DEMO],
          [sys.executable, "tests/readme.py"], own_counts, minutes=15),
    Suite("ways", ["README.md", "tests/ways/run.py"], [],
          [sys.executable, "tests/ways/run.py"], own_counts, minutes=20),
    Suite("workshop", ["tests/workshop/*.md", "tests/workshop/*.cpp"], [],
          [sys.executable, "tests/workshop/run.py"], own_counts, minutes=20),
    Suite("handlers", ["tests/handlers/*.cpp", "tests/handlers/run.py"], ["build/sanitize/handlers"],
          [sys.executable, "tests/handlers/run.py"], own_counts),
    Suite("fuzz", ["tests/fuzz/fuzz.cpp", "tests/fuzz/*.hpp"], ["build/fuzz/fuzz"],
          [sys.executable, "tests/fuzz/run.py", "--replay"], own_counts),
    Suite("e2e", ["tests/e2e/*.test.js", "tests/e2e/*.cpp"], [DEMO, *(f"{BUILD}/{name}" for name in PROGRAMS if name != "cluster")],
          ["node", "--test", "--test-concurrency=2", "--test-reporter=spec", "*.test.js"], node_counts,
          folder="tests/e2e", sanitized=True, without=CLUSTER + BROWSER),
    Suite("cluster", [*(f"tests/e2e/{name}" for name in CLUSTER), "tests/e2e/cluster.cpp"], [DEMO, f"{BUILD}/cluster"],
          ["node", "--test", "--test-concurrency=1", "--test-reporter=spec", *CLUSTER], node_counts,
          folder="tests/e2e", sanitized=True),
    Suite("browser", [f"tests/e2e/{name}" for name in BROWSER], [DEMO, f"{BUILD}/support"],
          ["node", "--test", "--test-concurrency=1", "--test-reporter=spec", *BROWSER], node_counts,
          folder="tests/e2e", sanitized=True),
    Suite("abuse", ["tests/abuse/*.js", "tests/abuse/target.cpp"], [DEMO, f"{BUILD}/abuse_target"],
          ["node", "tests/abuse/run.js"], own_counts, minutes=15, sanitized=True),
    Suite("storm", ["tests/bench/storm.py", "tests/bench/storm*.cpp"], [f"{BUILD}/storm_server", "build/storm"],
          [sys.executable, "tests/bench/storm.py", "--small", "--server", f"{BUILD}/storm_server"], own_counts,
          sanitized=True),
    Suite("bench", ["tests/bench/selftest.py", "tests/bench/load.cpp"], ["build/bench_server", "build/load"],
          [sys.executable, "tests/bench/selftest.py"], own_counts),
]
if sys.platform != "linux":
    SUITES = SUITES[:-2]                            # their clients need epoll


# ---- Running one ----------------------------------------------------------------------------------------


def environment() -> dict:
    env = dict(os.environ)
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):        # the flags of the make that started us
        env.pop(name, None)
    env["SIO_DEMO_BINARY"] = os.path.join(ROOT, DEMO)
    for name in PROGRAMS:
        env[f"SIO_{name.upper()}_BINARY"] = os.path.join(ROOT, BUILD, name)
    env["SIO_ABUSE_TARGET"] = os.path.join(ROOT, BUILD, "abuse_target")
    if SANITIZE:
        log = f"log_path={REPORTS}/report:exitcode=99"
        env["ASAN_OPTIONS"] = f"detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:{log}"
        env["UBSAN_OPTIONS"] = f"print_stacktrace=1:{log}"
    return env


def run(command: List[str], folder: str, minutes: float, env: dict):
    """Runs, shows and records a command; returns its output and what went wrong ('' when nothing did)."""
    process = subprocess.Popen(command, cwd=os.path.join(ROOT, folder), env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                               encoding="utf-8", errors="replace")
    lines = []

    def show():
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)

    reader = threading.Thread(target=show, daemon=True)
    reader.start()
    try:
        status = process.wait(minutes * 60)
        wrong = f"exit code {status}" if status > 0 else f"died of {signal.Signals(-status).name}" if status else ""
        reader.join(5)                              # who still holds the pipe was left behind
        if reader.is_alive():
            wrong = wrong or "left processes behind"
    except subprocess.TimeoutExpired:
        wrong = f"did not end within {minutes:g} minutes"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # whatever is left of it, also when we are interrupted
        except ProcessLookupError:
            pass
    process.wait()
    reader.join(5)
    return "".join(lines), wrong


def run_suite(suite: Suite, env: dict) -> Counts:
    for pattern in suite.needs:
        if not glob.glob(os.path.join(ROOT, pattern)):
            return trouble(suite, f"there is no {pattern}")
    if suite.build:
        jobs = f"-j{os.cpu_count() or 1}"
        _, wrong = run(["make", "--no-print-directory", jobs, *suite.build], ".", 20, env)
        if wrong:
            return trouble(suite, f"make {' '.join(suite.build)}: {wrong}")

    folder = os.path.join(ROOT, suite.folder)
    command = []
    for word in suite.command:
        matches = sorted(glob.glob(os.path.join(folder, word))) if "*" in word else [word]
        matches = [match for match in matches if "*" not in word or os.path.basename(match) not in suite.without]
        command += [os.path.relpath(match, folder) if "*" in word else match for match in matches]
    try:
        output, wrong = run(command, suite.folder, suite.minutes, env)
    except OSError as error:
        return trouble(suite, str(error))

    counts = suite.counts(output)
    if counts is None:
        return trouble(suite, f"{wrong or 'ended'} without counts")
    if wrong and not (wrong.startswith("exit code") and counts.failed):     # else the counts say it already
        counts = trouble(suite, wrong, counts)
    if counts.passed + counts.failed == 0:
        counts = trouble(suite, "ran nothing", counts)
    return counts


def trouble(suite: Suite, what: str, counts: Counts = Counts()) -> Counts:
    print(f"FAILED: {suite.name}: {what}", flush=True)
    return counts._replace(failed=counts.failed + 1)


def sanitizer_reports(suite: Suite, counts: Counts) -> Counts:
    for report in sorted(glob.glob(os.path.join(REPORTS, "*"))):
        with open(report, encoding="utf-8", errors="replace") as file:
            print("".join(file.readlines()[:150]))
        counts = trouble(suite, f"sanitizer report {os.path.basename(report)}", counts)
    shutil.rmtree(REPORTS, ignore_errors=True)
    os.makedirs(REPORTS)
    return counts


def main() -> int:
    wanted = [name for name in sys.argv[1:] if name != "--sanitize"]
    unknown = set(wanted) - {suite.name for suite in SUITES}
    if unknown:
        print(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SUITES)}")
        return 2
    suites = [suite for suite in SUITES
              if (suite.name in wanted or not wanted) and (suite.sanitized or not SANITIZE)]

    env = environment()
    if SANITIZE:
        shutil.rmtree(REPORTS, ignore_errors=True)
        os.makedirs(REPORTS)
    table = []
    for suite in suites:
        print(f"\n======== {suite.name}{' (sanitized)' if SANITIZE else ''}", flush=True)
        start = time.monotonic()
        counts = run_suite(suite, env)
        if SANITIZE:
            counts = sanitizer_reports(suite, counts)
        table.append((suite.name, counts, time.monotonic() - start))

    print("\nsuite       passed  failed  skipped  seconds")
    for name, counts, seconds in table:
        print(f"{name:10}  {counts.passed:6}  {counts.failed:6}  {counts.skipped:7}  {seconds:7.0f}")
    total = Counts(*(sum(column) for column in zip(*(counts for _, counts, _ in table)))) if table else Counts(0, 1)
    print(f"\n{total}", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
