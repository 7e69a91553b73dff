#!/usr/bin/env python3
"""What must compile, and what must not: the header as a guest in other people's builds.

    tests/compile/run.py [--core | --rest]

--core makes the checks of `make test`: each by the compiler of the build alone. --rest makes all others: those
that take long, and by the other compiler those whose outcome may differ. Without either, all are made.

- the header alone and the programs of tests/programs, all warnings as errors (the matrix has main.cpp, optimised);
- two files that both include it, linked into one program and run;
- the program of tests/programs that tests itself, run;
- the header after macros like those of windows.h and X11 (hostile.hpp);
- hygiene: which macros are left, no mutable state, nothing runs before main, versions do not mix, no program pays
  for a cluster that it does not join, and too old a compiler or library is refused in our words first;
- a debug build that stops a call from another thread (other_thread.cpp);
- wrong programs (wrong_*.cpp): each must be refused, and the compiler's message, without the lines of source
  it quotes, must be short, and hold every text the program states in comments of this form:

      // expect: event "say": the second argument is a number
      // expect(clang++): for one compiler only, where the two word it differently

Programs that only have to compile, or not to, use the precompiled header. Closes with `N passed, N failed`.
"""

import functools
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import CPPFLAGS, ROOT, STRICT, Results, compilers, environment, is_clang, precompiled  # noqa: E402

BASE = ["-std=c++20", "-pthread"]


def quotes_off(compiler):
    return "-fno-caret-diagnostics" if is_clang(compiler) else "-fno-diagnostics-show-caret"


def compile_(compiler, *arguments, source=None, pch=False):
    """Returns (did it compile, the compiler's words); source goes in by standard input."""
    command = [compiler, *BASE, *(precompiled(compiler) if pch else []), "-I.", *CPPFLAGS, *arguments]
    command += ["-x", "c++", "-"] if source is not None else []
    result = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, errors="replace",
                            env={**os.environ, "LC_ALL": "C"}, timeout=300)
    return result.returncode == 0, result.stdout + result.stderr


# ---- The checks: each a function of the compiler that returns what is wrong, or '' ---------------------


def accepts(compiler, path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        declared = "sio_demo::demo" not in file.read()  # the demo service is declared with the implementation
    fine, words = compile_(compiler, *STRICT, "-fsyntax-only", path, pch=declared)
    return "" if fine else words


def alone(compiler):
    fine, words = compile_(compiler, *STRICT, "-fsyntax-only", source='#include "sio_demo.hpp"\nint main() {}\n')
    return "" if fine else words


BODIES = "build/bodies.o"                          # the implementation, with which most programs here are linked


def linked(compiler, program, *sources, bodies=False):
    """Compiles and links a program; the compiler's words where that fails, or ''."""
    with_bodies = [BODIES] if bodies else []
    fine, words = compile_(compiler, *STRICT, *sources, *with_bodies, "-o", program, *shlex.split(os.environ.get("LDFLAGS", "")),
                           *shlex.split(os.environ.get("LDLIBS", "")), pch=bodies)
    return "" if fine else words


def run_program(program, *arguments):
    return subprocess.run([program, *arguments], timeout=60, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def runs(compiler, *sources, bodies=False):
    """The program must not only compile: it tells by its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program")
        words = linked(compiler, program, *sources, bodies=bodies)
        if words:
            return words
        result = run_program(program)
        return "" if result.returncode == 0 else f"linked, but it ends with {result.returncode}\n{result.stdout}{result.stderr}"


def other_thread(compiler):
    """A debug build stops calls from another thread, and says what to do; post() is allowed from everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "other_thread")
        words = linked(compiler, program, "tests/compile/other_thread.cpp", bodies=True)
        if words:
            return words
        wrong = []
        for call, allowed in (("post", True), ("close", False), ("listen", False)):
            result = run_program(program, call)
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


# ---- Hygiene: what including the header does to a program, beyond what it is included for -----------------

# What chapter 15 says remains: the include guard, the version, and the macros for users with what they are made of.
PUBLIC_MACROS = {f"SIO_DEMO_{name}" for name in (
    "HPP VERSION VERSION_MAJOR VERSION_MINOR VERSION_PATCH FIELDS ENUM "
    "ONE EIGHT 64 EACH DESCRIBED NAMED_FIELD NAMED_VALUE").split()}


def header():
    with open(os.path.join(ROOT, "sio_demo.hpp"), encoding="utf-8") as file:
        return file.read()


def macros(compiler):
    """Compared with the header's own includes alone, only what users are meant to have is defined, nothing undefined."""
    def after(lines):
        fine, words = compile_(compiler, "-E", "-dM", source="\n".join(lines) + "\n")
        if not fine:
            raise OSError(words)
        return dict(re.findall(r"^#define (\w+)(.*)$", words, re.M))

    includes = [line for line in prelude() if not re.match(r"\s*#\s*define", line)]
    before, now = after(includes), after(['#include "sio_demo.hpp"'])
    new = {name for name in now if now[name] != before.get(name) or name.startswith("SIO_DEMO_")}
    return "\n".join([f"{name} is left defined: end it by #undef, or add it to PUBLIC_MACROS" for name in sorted(new - PUBLIC_MACROS)] +
                     [f"{name} is not defined, and is for users" for name in sorted(PUBLIC_MACROS - new)] +
                     [f"{name} was defined before the header, and no longer is" for name in sorted(set(before) - set(now))])


PROCESS_KEY = "bytes::keyed_hash("                 # has the one const that is made at first use: the key of this process's hashes


def no_state(compiler):
    """No object of ours can change, none but one is made at first use, and nothing of ours runs before main.

    g++ 12 puts tables whose type is deduced (`constexpr std::array name{...}`) into a writable section, although they
    are const; so what counts is that the header declares an object of that name constexpr.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.o")
        fine, words = compile_(compiler, "-O0", "-c", "-o", path, "tests/e2e/client/features_server.cpp", pch=True)
        if not fine:
            return words
        objects = [path, BODIES]
        symbols = subprocess.run(["nm", "-C", *objects], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        # Where initialisers are; all the sections of templates would take objdump minutes.
        code = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", "-j", ".text", "-j", ".text.startup", *objects], cwd=ROOT,
                              capture_output=True, text=True).stdout

    wrong, seen, text = [], 0, header()
    for kind, name in re.findall(r"^[0-9a-f]* +(\w) (.*)$", symbols, re.M):
        plain = name.removeprefix("guard variable for ").removeprefix("TLS init function for ")
        if not plain.startswith("sio_demo::"):
            continue
        if PROCESS_KEY in plain:
            continue
        if plain != name:
            wrong.append(f"made at first use, or for each thread: {plain}")
        elif kind in "bBdDsSgGuV":
            seen += 1
            plain = re.sub(r"<.*>$", "", re.sub(r"\[abi:\w+\]", "", name))  # a variable template's own arguments
            last = plain.rsplit("::", 1)[-1]
            if not re.search(rf"\bconstexpr\b[^;\n]*\b{re.escape(last)}\b *[={{,;]", text):
                wrong.append(f"not constexpr: {name}")
    initialisers = [function for function in re.split(r"\n\n(?=[0-9a-f]+ <)", code)
                    if re.match(r"[0-9a-f]+ <(_GLOBAL__sub_I_|_Z\d+__static_initialization|__cxx_global_var_init)", function.lstrip())]
    for function in initialisers:
        wrong += [f"before main: {line.split()[-1]}" for line in function.splitlines() if re.search(r"\bR_\w+.*8sio_demo", line)]
    if not seen or not initialisers:
        wrong.append("the object shows no tables, or no initialisers, not even Asio's: this check has looked in the wrong place")
    return "\n".join(wrong)


def without_redis(compiler):
    """A program that joins no cluster holds nothing of chapter 11: a virtual function that is inline only where its
    body stands would bring all of it (see SIO_DEMO_INLINE)."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "chat.o")
        fine, words = compile_(compiler, "-O0", "-c", "-o", path, "tests/programs/chat.cpp")
        if not fine:
            return words
        symbols = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    ours = [line for line in symbols.splitlines() if "sio_demo::" in line]
    wrong = [line for line in ours if "::redis::" in line]
    if not any("::net::Connection::write" in line for line in ours):
        wrong.append("the object shows no function of chapter 10: this check has looked in the wrong place")
    return "\n".join(wrong[:20])


def next_version(compiler):
    """The next version in the same program: each file has its own, by the name of the inline namespace."""
    text = header()
    later = text.replace("namespace v0_1 {", "namespace v0_2 {").replace('return "Not Found";', 'return "Gone";')
    if later.count("v0_2") != 1 or later.count('return "Gone";') != 1:
        return "the header's inline namespace is not called v0_1, or status_text has no \"Not Found\": this check replaces them"
    with tempfile.TemporaryDirectory() as folder:
        def write(name, words):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(words)
            return os.path.join(folder, name)
        write("later.hpp", later)
        # The text is that of a function, of which the linker keeps one for each name.
        old = write("old.cpp", '#include "sio_demo.hpp"\nstd::string later();\n'
                    'int main() { return sio_demo::http::status_text(404) == "Not Found" && later() == "Gone" ? 0 : 1; }\n')
        new = write("new.cpp", '#include "later.hpp"\nstd::string later();\n'
                    "std::string later() { return std::string(sio_demo::http::status_text(404)); }\n")
        program = os.path.join(folder, "program")
        fine, words = compile_(compiler, "-O0", old, new, "-o", program)
        if not fine:
            return words
        return "" if subprocess.run([program], timeout=60).returncode == 0 else "one version's functions are the other's"


def versions_agree(_):
    """The header states its version five times; the newest line of the changelog is the last of them."""
    text = header()
    number = {part: re.findall(rf"^#define SIO_DEMO_VERSION_{part} (\d+)$", text, re.M) for part in ("MAJOR", "MINOR", "PATCH")}
    version = ".".join(number[part][0] for part in number)
    places = {
        "SIO_DEMO_VERSION": re.findall(r'^#define SIO_DEMO_VERSION "(.*)"$', text, re.M),
        "the first line": re.findall(r"Version (\d+\.\d+\.\d+)\.", text.split("\n", 1)[0]),
        "the changelog's first entry": re.findall(r"^// Changelog\n//   (\S+) ", text, re.M),
        "the inline namespace": [name.replace("_", ".") + "." + number["PATCH"][0]
                                 for name in re.findall(r"^inline namespace v(\d+_\d+) \{", text, re.M)],
    }
    return "\n".join(f"{place} says {' and '.join(found) or 'nothing'}, the numbers say {version}"
                     for place, found in places.items() if found != [version])


def include_comments(_):
    """Behind each include of the standard library stands what is used of it, and that is used."""
    text, wrong = header(), []
    code = re.sub(r"//.*", "", text[text.index("namespace sio_demo {"):])
    for name, comment in re.findall(r"^#include <(\w+)> *(?:// *(.*))?$", text, re.M):
        words = re.findall(r"\w+(?:::\w+)*", re.sub(r", of \w+ alone|( and friends)", "", comment))
        wrong += [f"<{name}>: {word} is not used" for word in words if not re.search(rf"\b{word}\b", code)]
        wrong += [] if words else [f"<{name}> does not say what it is for"]
    return "\n".join(wrong)


# What is too old: (what, arguments of g++, of clang++, files that come first, what the first error says)
OLD_ASIO = {"asio/version.hpp": "#define ASIO_VERSION 102103\n",
            "asio/associated_cancellation_slot.hpp": "#error there was no such file yet\n"}
OLD_JSON = {"nlohmann/json.hpp": "#define NLOHMANN_JSON_VERSION_MAJOR 3\n#define NLOHMANN_JSON_VERSION_MINOR 10\n"
                                 "namespace nlohmann {}\n"}
TOO_OLD = [
    ("C++17", ["-std=c++17"], ["-std=c++17"], {}, "needs C++20: compile with -std=c++20"),
    ("a compiler", ["-U__GNUC__", "-D__GNUC__=10", "-std=c++17"], ["-U__clang_major__", "-D__clang_major__=13", "-std=c++17"], {},
     ": call a newer one, such as "),
    ("Asio", [], [], OLD_ASIO, "needs Asio 1.22 or later (Debian 12: apt-get install libasio-dev)"),
    ("nlohmann/json", [], [], OLD_JSON, "needs nlohmann/json 3.11 or later (Debian 12: apt-get install nlohmann-json3-dev)"),
]


def too_old(compiler, gcc, clang, files, text):
    """Our words are the first error, before the pages that follow from it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, words in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(words)
        fine, words = compile_(compiler, f"-I{folder}", *(clang if is_clang(compiler) else gcc), "-fsyntax-only",
                               source='#include "sio_demo.hpp"\n')
    errors = [line for line in words.splitlines() if "error:" in line]
    if fine or not errors:
        return "it compiles, and must not"
    return "" if text in errors[0] and "sio_demo.hpp needs" in errors[0] else f"the first error lacks: {text}\n{words}"


MOST_LINES = 24  # of what a compiler says of a wrong program: the error, where it is from, and no flood behind it


def refuses(compiler, path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        expected = re.findall(r"^// expect(?:\(([^)]*)\))?: *(.+?) *$", file.read(), re.M)
    texts = [text for only, text in expected if only in ("", "clang++" if is_clang(compiler) else "g++")]
    if not texts:
        return f"{path} states no `// expect: ...` for {compiler}"
    fine, words = compile_(compiler, "-fsyntax-only", quotes_off(compiler), path, pch=True)
    if fine:
        return "it compiles, and must not"
    missing = [text for text in texts if " ".join(text.split()) not in " ".join(words.split())]
    if len(words.splitlines()) > MOST_LINES:
        return f"the message has more than {MOST_LINES} lines\n{words}"
    return "".join(f"the message lacks: {text}\n" for text in missing) + words if missing else ""


FAKE = "tests/programs/fake_server_test.cpp"


def checks():
    """(name, is it of the core, may the compilers differ, function, arguments); a pattern that matches nothing is a check that fails."""
    def each(pattern, what, check):
        paths = sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, pattern)))
        for path in paths:
            yield f"{path} {what}", True, True, check, [path]
        if not paths:
            yield f"{pattern} {what}", True, True, lambda compiler: "there is no such file", []

    yield "the header alone, no warning", True, True, alone, []
    yield "two files, one program", True, False, runs, ["tests/compile/two_a.cpp", "tests/compile/two_b.cpp"]
    yield "after hostile macros", True, True, hostile, []
    yield "macros left", True, True, macros, []
    yield "its version, wherever stated", True, False, versions_agree, []
    yield "what its includes are for", True, False, include_comments, []
    for what, *arguments in TOO_OLD:
        yield f"{what} too old is refused in our words first", True, True, too_old, arguments
    yield from each("tests/programs/*.cpp", "compiles, no warning", accepts)
    yield from each("tests/compile/wrong_*.cpp", "is refused, for the reason it states", refuses)
    yield "a unit test against a fake server, run", False, False, functools.partial(runs, bodies=True), [FAKE]
    yield "no mutable state, nothing before main", False, False, no_state, []
    yield "nothing of Redis where none is used", False, False, without_redis, []
    yield "beside its next version", False, False, next_version, []
    yield "calls from another thread are stopped", False, False, other_thread, []


def main():
    first, other = compilers()
    core, rest = "--core" in sys.argv, "--rest" in sys.argv

    def wanted(compiler, is_core, may_differ):
        if compiler in other and not may_differ:
            return False
        of_test = is_core and compiler in first    # what `make test` runs
        return of_test if core else not of_test if rest else True

    if not core:                                   # make test links nothing with it
        subprocess.run(["make", "--no-print-directory", BODIES], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=True)
    results = Results()
    results.add_all((f"{os.path.basename(compiler)}: {name}", functools.partial(check, compiler, *arguments))
                    for compiler in (*first, *other) for name, is_core, may_differ, check, arguments in checks()
                    if wanted(compiler, is_core, may_differ))
    if not other:
        print("skipped the other compiler: g++ and clang++ are not both here")
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
