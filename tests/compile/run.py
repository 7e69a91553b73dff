#!/usr/bin/env python3
"""What must compile, and what must not: the header as a guest in other people's builds.

    tests/compile/run.py [WORD...]       (only the checks whose name holds all the words)

- the header alone, main.cpp and the programs of tests/programs, all warnings as errors;
- two files that both include it, linked into one program and run;
- the program of tests/programs that tests itself, run;
- a large program whose bodies are compiled in a file of their own, linked;
- the header after macros like those of windows.h and X11 (hostile.hpp);
- a debug build that stops a call from another thread (other_thread.cpp);
- wrong programs (wrong_*.cpp): each must be refused, and the compiler's message, without the lines of source
  it quotes, must hold every text the program states in comments of this form:

      // expect: event "say": the second argument is a number
      // expect(clang++): for one compiler only, where the two word it differently

Each check is made by g++ and by clang++. Closes with `N passed, N failed`.
"""

import concurrent.futures
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUOTES_OFF = {"g++": "-fno-diagnostics-show-caret", "clang++": "-fno-caret-diagnostics"}
STRICT = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Werror".split()
# What the user's -I brings is not ours to warn about.
CPPFLAGS = shlex.split(os.environ.get("CPPFLAGS", "").replace("-I", "-isystem "))
BASE = ["-std=c++20", "-pthread", "-I.", *CPPFLAGS]


def compile_(compiler, *arguments, source=None):
    """Returns (did it compile, the compiler's words); source goes in by standard input."""
    command = [compiler, *BASE, *arguments] + (["-x", "c++", "-"] if source is not None else [])
    result = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, errors="replace",
                            env={**os.environ, "LC_ALL": "C"}, timeout=300)
    return result.returncode == 0, result.stdout + result.stderr


# ---- The checks: each a function of the compiler that returns what is wrong, or '' ---------------------


def accepts(compiler, path):
    fine, words = compile_(compiler, *STRICT, "-fsyntax-only", path)
    return "" if fine else words


def accepts_optimised(compiler, path):
    """Some warnings need the optimiser's view of the program."""
    fine, words = compile_(compiler, *STRICT, "-O2", "-c", "-o", os.devnull, path)
    return "" if fine else words


def alone(compiler):
    fine, words = compile_(compiler, *STRICT, "-fsyntax-only", source='#include "sio_demo.hpp"\nint main() {}\n')
    return "" if fine else words


def two_files(compiler):
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "two")
        fine, words = compile_(compiler, *STRICT, "tests/compile/two_a.cpp", "tests/compile/two_b.cpp", "-o", program,
                               *shlex.split(os.environ.get("LDFLAGS", "")), *shlex.split(os.environ.get("LDLIBS", "")))
        if not fine:
            return words
        status = subprocess.run([program], timeout=60, stdin=subprocess.DEVNULL).returncode
        return "" if status == 0 else f"linked, but it ends with {status}"


def fake_server(compiler):
    """The example of a unit test against a FakeServer must not only compile: it tells by its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "fake_server_test")
        fine, words = compile_(compiler, *STRICT, "tests/programs/fake_server_test.cpp", "-o", program,
                               *shlex.split(os.environ.get("LDFLAGS", "")), *shlex.split(os.environ.get("LDLIBS", "")))
        if not fine:
            return words
        result = subprocess.run([program], timeout=60, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return "" if result.returncode == 0 else f"it ends with {result.returncode}\n{result.stdout}{result.stderr}"


def bodies_apart(compiler):
    """With SIO_DEMO_SEPARATE, every function that a program needs is in the file with SIO_DEMO_IMPLEMENTATION, once."""
    with tempfile.TemporaryDirectory() as folder:
        bodies, program = os.path.join(folder, "bodies.cpp"), os.path.join(folder, "program")
        with open(bodies, "w", encoding="utf-8") as file:
            file.write('#define SIO_DEMO_IMPLEMENTATION\n#include "sio_demo.hpp"\n')
        fine, words = compile_(compiler, *STRICT, "-DSIO_DEMO_SEPARATE", "tests/e2e/support.cpp", bodies, "-o", program,
                               *shlex.split(os.environ.get("LDFLAGS", "")), *shlex.split(os.environ.get("LDLIBS", "")))
        return "" if fine else words


def other_thread(compiler):
    """A debug build stops calls from another thread, and says what to do; post() is allowed from everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "other_thread")
        fine, words = compile_(compiler, *STRICT, "tests/compile/other_thread.cpp", "-o", program,
                               *shlex.split(os.environ.get("LDFLAGS", "")), *shlex.split(os.environ.get("LDLIBS", "")))
        if not fine:
            return words
        wrong = []
        for call, allowed in (("post", True), ("close", False), ("listen", False)):
            result = subprocess.run([program, call], timeout=60, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            stopped = result.returncode != 0 and "call this on the loop's thread" in result.stderr
            if stopped == allowed or (allowed and result.returncode != 0):
                wrong.append(f"{call}: ended with {result.returncode}: {result.stderr}")
        return "\n".join(wrong)


def prelude():
    """The header's own preprocessor lines down to its last #include <...>, less its include guard."""
    with open(os.path.join(ROOT, "sio_demo.hpp"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    directives = re.findall(r"^[ \t]*#.*$", text, re.M)
    last = max(n for n, line in enumerate(directives) if re.match(r"\s*#\s*include\s*<", line))
    lines = [line for line in directives[:last + 1]
             if not re.match(r"\s*#\s*((ifndef|define)\s+SIO_DEMO_HPP\b|pragma once)", line)]
    opened = sum(bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line)) for line in lines)
    return lines + ["#endif"] * opened


def hostile(compiler):
    """Other people's headers may break when `min` is a macro; ours may not. So theirs come first."""
    with open(os.path.join(ROOT, "tests/compile/hostile.hpp"), encoding="utf-8") as file:
        macros = re.findall(r"^\s*#\s*define\s+(\w+)", file.read(), re.M)
    lines = prelude() + ['#include "tests/compile/hostile.hpp"', '#include "sio_demo.hpp"']
    for name in macros:
        lines += [f"#ifndef {name}", f'#error "the header undefined its user\'s macro {name}"', "#endif"]
    fine, words = compile_(compiler, *STRICT, "-fsyntax-only", source="\n".join(lines) + "\nint main() {}\n")
    return "" if fine else words


def refuses(compiler, path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        expected = re.findall(r"^// expect(?:\(([^)]*)\))?: *(.+?) *$", file.read(), re.M)
    texts = [text for only, text in expected if only in ("", compiler)]
    if not texts:
        return f"{path} states no `// expect: ...` for {compiler}"
    fine, words = compile_(compiler, "-fsyntax-only", QUOTES_OFF[compiler], path)
    if fine:
        return "it compiles, and must not"
    missing = [text for text in texts if " ".join(text.split()) not in " ".join(words.split())]
    return "".join(f"the message lacks: {text}\n" for text in missing) + words if missing else ""


def checks():
    """(name, function, arguments); a pattern that matches nothing is a check that fails."""
    def each(pattern, what, check):
        paths = sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, pattern)))
        for path in paths:
            yield f"{path} {what}", check, [path]
        if not paths:
            yield f"{pattern} {what}", lambda compiler: "there is no such file", []

    yield "the header alone, no warning", alone, []
    yield "two files, one program", two_files, []
    yield "a unit test against a fake server, run", fake_server, []
    yield "bodies in a file of their own", bodies_apart, []
    yield "after hostile macros", hostile, []
    yield "calls from another thread are stopped", other_thread, []
    yield from each("main.cpp", "compiles, optimised, no warning", accepts_optimised)
    yield from each("tests/programs/*.cpp", "compiles, no warning", accepts)
    yield from each("tests/compile/wrong_*.cpp", "is refused, for the reason it states", refuses)


def main():
    rows = [(f"{compiler}: {name}", check, [compiler, *arguments])
            for name, check, arguments in checks() for compiler in QUOTES_OFF]
    rows = [row for row in rows if all(word in row[0] for word in sys.argv[1:])]

    def run(row):
        try:
            return row[1](*row[2])
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for (name, _, _), wrong in zip(rows, pool.map(run, rows)):
            print(("not ok  " if wrong else "ok      ") + name, flush=True)
            if wrong:
                failed += 1
                lines = wrong.splitlines()
                print("".join(f"        {line}\n" for line in lines[:40]), end="")
                if len(lines) > 40:
                    print(f"        ... {len(lines) - 40} more lines")
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
