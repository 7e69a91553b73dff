"""What the Python test runners share: paths, the compilers and their flags, the choice of tests, counts."""

import concurrent.futures
import functools
import os
import re
import shlex
import shutil
import subprocess
import threading
from dataclasses import dataclass
from typing import Callable, Iterable, List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STRICT = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Werror".split()
# The folders that the user's -I names hold other people's code, whose warnings do not count.
CPPFLAGS = shlex.split(os.environ.get("CPPFLAGS", "").replace("-I", "-isystem "))
CXX = shlex.split(os.environ.get("CXX") or "g++")
JOBS = os.cpu_count() or 1
ONLY = os.environ.get("ONLY", "")


def chosen(name: str) -> bool:
    """Whether the test of this name is to run: ONLY is a regular expression, and case does not matter."""
    return re.search(ONLY, name, re.I) is not None


def environment() -> dict:
    """Our environment without the flags of the make that started us."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def is_clang(compiler: str) -> bool:
    return "clang" in os.path.basename(compiler)


def compilers() -> Tuple[List[str], List[str]]:
    """(the compiler of the build, the other one if it is here)."""
    other = "g++" if is_clang(CXX[0]) else "clang++"
    return [CXX[0]], [other] if shutil.which(other) else []


def precompiled_path(compiler: str) -> str:
    return f"build/pch/{os.path.basename(compiler)}/sio_demo.hpp" + (".pch" if is_clang(compiler) else ".gch")


building = threading.Lock()


def precompiled(compiler: str) -> List[str]:
    with building:
        return _precompiled(compiler)


@functools.lru_cache(None)
def _precompiled(compiler: str) -> List[str]:
    """The flags with which a compiler uses the precompiled header, which make builds when it is out of date."""
    path = precompiled_path(compiler)
    made = subprocess.run(["make", "--no-print-directory", f"CXX={compiler}", path], cwd=ROOT, env=environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if made.returncode != 0:
        raise OSError(f"make {path} failed:\n{made.stdout}{made.stderr}")
    use = ["-include-pch", path] if is_clang(compiler) else ["-I" + os.path.dirname(path)]
    return [*use, "-DSIO_DEMO_SEPARATE"]


@dataclass
class Results:
    """Counts checks and prints a line for each, with what is wrong."""
    passed: int = 0
    failed: int = 0

    def add(self, name: str, wrong: str):
        print(("not ok  " if wrong else "ok      ") + name, flush=True)
        self.failed += bool(wrong)
        self.passed += not wrong
        lines = wrong.splitlines()
        for line in lines[:40]:
            print("        " + line)
        if len(lines) > 40:
            print(f"        ... {len(lines) - 40} more lines", flush=True)

    def add_all(self, checks: Iterable[Tuple[str, Callable[[], str]]]):
        """Runs the chosen checks (a name, and a function that returns what is wrong), as many at once as there are cores."""
        def run(check: Callable[[], str]) -> str:
            try:
                return check()
            except (OSError, subprocess.SubprocessError) as error:
                return str(error) or repr(error)

        rows = [row for row in checks if chosen(row[0])]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for (name, _), wrong in zip(rows, pool.map(run, [check for _, check in rows])):
                self.add(name, wrong)

    def close(self) -> int:
        """Prints the counts; the exit code. With ONLY, a runner in which no test has such a name has not failed."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not (self.passed or ONLY) else 0
