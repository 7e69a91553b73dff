#!/usr/bin/env python3
"""Plays the handler matrix, see handlers.cpp, and closes with a line of counts.

    tests/handlers/run.py [--all] [--random COUNT] [--program PATH] [WORD...]

Each place and action over one transport and with one combination of flags; --all plays all of these. WORDs, of which
ONLY may be one, choose cells whose names hold them, over every transport. Then COUNT seeded sequences of up to six
actions (default: 2,000, with --all 20,000, with WORDs none). A cell that kills the program counts as one failure, and
the program is started again behind it. Each failure is a line with the cell's name.
"""

import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import JOBS, ONLY, ROOT  # noqa: E402

SILENCE = 60                                            # seconds without a line: it hangs
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:handle_abort=1:detect_stack_use_after_return=1:malloc_context_size=12",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


class Part:
    """A range of cells, played by one program after the other."""

    def __init__(self, program, arguments, first, last):
        self.program, self.arguments, self.first, self.last = program, arguments, first, last
        self.played, self.failures, self.visited = 0, [], set()

    def play(self):
        first = self.first
        while first <= self.last:
            first = self.once(first)

    def once(self, first):
        """Starts the program at this cell; returns where to go on."""
        process = subprocess.Popen([self.program, *self.arguments, "--first", str(first), "--last", str(self.last)],
                                   env={**os.environ, **SANITIZERS}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        at, name, why, done = first, "?", "", False
        hung = threading.Timer(SILENCE, process.kill)
        hung.start()
        for line in process.stdout:
            hung.cancel()
            hung = threading.Timer(SILENCE, process.kill)
            hung.start()
            if line.startswith("AT "):
                at = int(line.split()[1])
            elif line.startswith("FAILED "):
                self.failures.append(line.strip())
            elif line.startswith("DIED "):
                _, number, name = line.strip().split(" ", 2)
                at = int(number)
            elif line.startswith("VISITED "):
                self.visited.add(line.strip().split(" ", 1)[1])
            elif line.startswith("PLAYED "):
                self.played += int(line.split()[1])
                done = True
            elif not why and re.search(r"AddressSanitizer|LeakSanitizer|runtime error|Assertion|terminate called", line):
                why = line.strip()
        hung.cancel()
        process.wait()
        if done and process.returncode in (0, 1):
            return self.last + 1
        if done:
            self.failures.append(f"FAILED cells {first} to {self.last}: {why or 'status %d' % process.returncode}")
            return self.last + 1
        self.failures.append(f"FAILED {name}: {why or 'status %d behind cell %d' % (process.returncode, at)}")
        self.played += at - first + 1
        return at + 1


def play(program, arguments):
    names = subprocess.run([program, *arguments, "--list"], stdout=subprocess.PIPE, check=True,
                           encoding="utf-8").stdout.splitlines()
    step = max(1, (len(names) + JOBS - 1) // JOBS)
    parts = [Part(program, arguments, first, min(first + step, len(names)) - 1) for first in range(0, len(names), step)]
    threads = [threading.Thread(target=part.play) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [line for part in parts for line in part.failures]
    return sum(part.played for part in parts), failures, set().union(*(part.visited for part in parts))


def main():
    words, everything, random, program = [ONLY] if ONLY else [], False, None, os.path.join(ROOT, "build/sanitize/handlers")
    arguments = iter(sys.argv[1:])
    for word in arguments:
        if word == "--all":
            everything = True
        elif word == "--random":
            random = int(next(arguments))
        elif word == "--program":
            program = next(arguments)
        else:
            words.append(word)
    if random is None:
        random = 0 if words else 20_000 if everything else 2_000
    played, failures, visited = play(program, (["--all"] if everything else []) + words)
    if random:
        more, worse, _ = play(program, ["--random", str(random)])
        played, failures = played + more, failures + worse
    if not words:
        places = subprocess.run([program, "--places"], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout.splitlines()
        failures += [f"FAILED {place}: no cell calls user code there" for place in places if place not in visited]
        played += len(places)
    for line in failures:
        print(line)
    cells = len({line.split(": ")[0] for line in failures})
    print(f"{max(0, played - cells)} passed, {cells} failed")
    return 1 if failures or not (played or ONLY) else 0


if __name__ == "__main__":
    sys.exit(main())
