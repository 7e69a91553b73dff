#!/usr/bin/env python3
"""Shows that the benchmark runs, and that it fails where something is not delivered. No figure is judged.

    tests/bench/selftest.py

(the suite `bench`; ONLY chooses checks by name). Each case runs, small and short, against our server and the official one; then
against an official server in which one thing goes wrong (faults.js), which bench.py has to report.
"""

import functools
import os
import re
import subprocess
import sys

from bench import BUILD_ROWS, CASES
from common import ONLY, ROOT, Results, chosen

# (what goes wrong once, in which case, what has to be said of it)
FAULTS = [
    ("alter", "echo-1000", r"client \d+ got '43/bench,.*!x\"\]' instead of '43/bench,"),
    ("alter", "binary-1000", r"client \d+ got .* of 1024 bytes instead of .* of 1024 bytes; they differ at byte 1020"),
    ("alter", "ask-1000", r"client \d+ got '42/bench,.*!x\"\]' instead of"),
    ("alter", "relay", r"client \d+ got '42/bench,\[\"relayed\",.* instead of"),
    ("alter", "polling", r"client \d+ got '43/bench,.*!x\"\]' instead of '43/bench,"),
    ("double", "echo-1", r"client \d+ got an ack twice|client \d+ got '43/bench,.*' instead of '43/bench,"),
    ("double", "paced-64", r"client \d+ got one twice"),
    ("double", "rooms", r"client \d+ got one twice"),
    ("drop", "echo-1000", r"1 acks are missing, of client \d+"),
    ("drop", "blast-64", r"1 deliveries are missing, of client \d+"),
    ("stray", "room", r"client \d+ got what is not for it"),
    ("stray", "relay", r"client \d+ got what is not for it"),
    ("mute", "idle", r"client 0 had no heartbeat"),
]


# Compiles nothing, so that all programs cost the same.
NO_COMPILER = """python3 -c 'import sys; "-o" in sys.argv and open(sys.argv[sys.argv.index("-o") + 1], "w").write("x")'"""


def bench(*words, **environment):
    """Its exit code, and what it wrote."""
    done = subprocess.run([sys.executable, "tests/bench/bench.py", "--quick", "--rounds", "1", *words], cwd=ROOT, capture_output=True,
                          text=True, errors="replace", check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def check_cases():
    """[(what was checked, what is wrong or '')], for each case that has figures of both servers."""
    names = [name for name in CASES if chosen(name)]
    if not names:
        return []
    code, table, said = bench(*(["--cases", ",".join(names)] if ONLY else []))
    print(said + table, flush=True)
    rows = {row.split(" | ")[0].strip("| `"): row for row in table.splitlines() if row.startswith("| ")}
    result = [("exit code", f"it is {code}" if code else "")]
    for name in (*names, *(what for what, *_ in BUILD_ROWS if not ONLY)):
        figures = re.findall(r"\| [\d,.]+" if name in CASES else r"[\d,.]+ (?:s|MB|kB|x)\b", rows.get(name, ""))
        result.append((name, "" if len(figures) >= 3 else f"its row is {rows.get(name)}"))
    return result


def check_fault(fault, case, wanted):
    code, _, said = bench("--server", f"faulty=node tests/bench/server.js {{port}} 1500 {fault}", "--servers", "faulty", "--cases", case,
                          "--patience", "2")
    if code != 1:
        return f"exit code {code}, instead of 1"
    return "" if re.search(wanted, said) else f"it says {said.strip()}"


def check_dead_server():
    code, _, said = bench("--server", "dead=sh -c 'echo no database >&2; exit 7' {port}", "--servers", "dead", "--cases", "echo-1")
    return "" if code == 1 and "the server ended with 7 at once: no database" in said else f"exit code {code}, it says {said.strip()}"


def check_dear_header():
    """A build that costs more than it may is an error, and the table comes all the same."""
    code, table, said = bench("--cost", "--most", "0.1", CXX=NO_COMPILER)
    return "" if code == 1 and "compiling, CPU time" in table and "FAILED: build -O0, compiling, CPU time" in table else f"exit code {code}, it says {said.strip()}"


def main():
    results = Results()
    for what, wrong in check_cases():
        results.add(what, wrong)
    for what, check in [("a header that costs too much is told", check_dear_header),
                        *((f"{fault} in {case} is found", functools.partial(check_fault, fault, case, wanted)) for fault, case, wanted in FAULTS),
                        ("a server that does not start is told", check_dead_server)]:
        if chosen(what):
            results.add(what, check())
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
