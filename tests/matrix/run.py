#!/usr/bin/env python3
"""The demo by every compiler that can be had: compiled with all warnings as errors, linked, started, asked.

    tests/matrix/run.py       (make matrix ONLY="clang|windows" chooses rows by name)

A row of ROWS is a compiler, its flags and the packages they come from; the rows together meet every flag of
interest at least once, not each with each. What a row lacks is installed (apt-get, as root or by sudo, never
at the price of another package); what cannot be had is skipped aloud. Each program is then started on a port
that the system chooses, and smoke.js talks to it with the official client and ends it.

One row is for libraries newer than the packaged ones: those of Debian's unstable distribution, which are unpacked
and not installed, or those that the environment names:

    SIO_ASIO_INCLUDE=.../asio/include SIO_JSON_INCLUDE=.../json/include make matrix ONLY="asio|json"

First of all, without a compiler: the header includes C++, Asio and nlohmann/json alone, and main.cpp what is
of POSIX only where it is not Windows.
Closes with `N passed, N failed[, N skipped]`.
"""

import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import List, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import CPPFLAGS, ONLY, ROOT, STRICT, chosen  # noqa: E402

COMPILE_SECONDS, SMOKE_SECONDS, APT_SECONDS, LINES = 400, 300, 900, 40
JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
HEADERS = ("asio", "asio.hpp", "nlohmann")  # of the two libraries, in /usr/include
NEWER = {"SIO_ASIO_INCLUDE": ("asio.hpp", "libasio-dev"), "SIO_JSON_INCLUDE": ("nlohmann/json.hpp", "nlohmann-json3-dev")}
DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
WINE = "/usr/lib/wine/wine64"               # the package wine64 puts no command into the PATH
OLDEST = {"g++": 11, "clang++": 14}         # the oldest that compile the header


@dataclass
class Row:
    name: str
    compiler: str
    packages: str                           # of Debian
    flags: str = ""
    libraries: str = ""                     # for the linker, after the sources
    runner: Tuple[str, ...] = ()            # what starts the program
    cross: bool = False                     # no header of this machine but those of Asio and nlohmann/json
    newer: bool = False                     # the libraries of NEWER are not the installed ones
    include: Tuple[str, ...] = ()           # the folders where they are, once known


# The header's troubles come from libraries and levels more than from versions: the first rows are the most telling.
ROWS = [
    # libc++-N-dev of two versions cannot be installed together, so the newest stands for all. It is linked in:
    # Debian's libc++-22-dev comes with the shared libc++ of version 19, which lacks symbols that its headers want.
    Row("clang++-22 c++23 libc++", "clang++-22", "clang-22 libc++-22-dev libc++abi-22-dev",
        "-std=c++23 -O0 -stdlib=libc++ -static-libstdc++", "-Wl,--push-state,-Bstatic -lc++abi -Wl,--pop-state"),
    # Asio is told the oldest Windows that it may count on; the libraries are linked in, since wine has them not. With -O0
    # the object has more sections than the format allows.
    Row("windows mingw c++20", "x86_64-w64-mingw32-g++-posix", "g++-mingw-w64-x86-64-posix wine64",
        "-std=c++20 -O1 -static -D_WIN32_WINNT=0x0A00", "-lws2_32 -lmswsock", runner=(WINE,), cross=True),
    # Asio does not see by itself that there is no typeid, and wants to be told.
    Row("g++-11 c++20 O2 no-rtti", "g++-11", "g++-11", "-std=c++20 -O2 -fno-rtti -DASIO_NO_TYPEID"),
    Row("clang++-14 c++23 no-rtti explicit json", "clang++-14", "clang-14",
        "-std=c++2b -O0 -fno-rtti -DASIO_NO_TYPEID -DJSON_USE_IMPLICIT_CONVERSIONS=0"),
    Row("arm aarch64 c++20", "aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu qemu-user", "-std=c++20 -O0 -static",
        runner=("qemu-aarch64",), cross=True),
    Row("g++-12 32-bit c++20 O2", "g++-12", "g++-12-multilib",
        "-std=c++20 -O2 -m32 -idirafter /usr/include/x86_64-linux-gnu"),
    Row("g++-12 c++23 O3 lto", "g++-12", "g++-12", "-std=c++23 -O3 -flto -DASIO_NO_DEPRECATED"),
    Row("clang++-15 c++20", "clang++-15", "clang-15", "-std=c++20 -O0"),
    Row("clang++-16 c++20 O1", "clang++-16", "clang-16", "-std=c++20 -O1"),
    Row("clang++-19 c++23 O3", "clang++-19", "clang-19", "-std=c++23 -O3"),
    Row("clang++-22 c++20 libstdc++ assertions", "clang++-22", "clang-22", "-std=c++20 -O0 -D_GLIBCXX_ASSERTIONS"),
    Row("newer asio and json", "g++-12", "g++-12", "-std=c++20 -O0 -DASIO_NO_DEPRECATED -DJSON_DIAGNOSTICS=1", newer=True),
]


def other_compilers() -> List[Row]:
    """A row for each g++ and clang++ that is here, is not too old, and stands in no row."""
    here = [os.path.basename(path) for folder in os.environ.get("PATH", "").split(":")
            for path in glob.glob(os.path.join(glob.escape(folder), "*++-*"))]
    found = {(match[1], int(match[2])) for name in here if (match := re.fullmatch(r"(g\+\+|clang\+\+)-(\d+)", name))}
    rows = []
    for kind, version in sorted(found):
        name = f"{kind}-{version}"
        if version >= OLDEST[kind] and all(row.compiler != name for row in ROWS):
            rows.append(Row(f"{name} c++20", name, name.replace("clang++", "clang"), "-std=c++20 -O0"))
    return rows


# ---- What a row needs -------------------------------------------------------------------------------------------


class Packages:
    """Installs packages; apt-get update at most once."""

    def __init__(self):
        self.apt = shutil.which("apt-get") is not None
        self.sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        self.updated = False

    def missing(self, packages: List[str]) -> List[str]:
        if not self.apt:
            return []                       # another system: what counts is whether the tools are there
        found = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
                               capture_output=True, text=True).stdout.splitlines()
        return [package for package in packages if f"{package} installed" not in found]

    def install(self, packages: List[str]) -> str:
        """Why it did not work, or ''."""
        if self.sudo and not shutil.which("sudo"):
            return f"neither root nor sudo here; as root: apt-get install --no-remove {' '.join(packages)}"
        why = self._apt("install", "-y", "--no-install-recommends", "--no-remove", *packages)
        if why and not self.updated:        # the lists may be old, or not there at all
            self.updated = True
            why = self._apt("update") or self._apt("install", "-y", "--no-install-recommends", "--no-remove", *packages)
        return why

    def _apt(self, *arguments: str) -> str:
        return apt_get([*self.sudo, "env", "DEBIAN_FRONTEND=noninteractive"],
                       "-o", f"DPkg::Lock::Timeout={APT_SECONDS // 3}", *arguments)


def apt_get(before: List[str], *arguments: str, folder: str = ROOT) -> str:
    """Why it did not work, or ''."""
    command = [*before, "apt-get", "-q", *arguments]
    what = next(word for word in arguments if word in ("install", "update", "download"))
    try:
        result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                errors="replace", timeout=APT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return f"apt-get {what}: {error}"
    if result.returncode == 0:
        return ""
    words = [line for line in result.stderr.splitlines() if line.startswith("E: ")] or ["E: it does not say why"]
    return f"apt-get {what}: {words[0][3:]}"


class Unstable:
    """Packages of Debian's unstable distribution, unpacked into a folder; nothing on the machine changes."""

    def __init__(self, folder: str):
        self.folder, self.why = folder, None

    def headers(self, package: str) -> Tuple[str, str]:
        """(the folder of its headers, '') or ('', why there is none)."""
        if self.why is None:
            self.why = self._update()
        why = self.why or apt_get([], *self._options(), "download", package, folder=self.folder)
        if why:
            return "", why
        archive = glob.glob(os.path.join(self.folder, f"{package}_*.deb"))[0]
        unpacked = os.path.join(self.folder, package)
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        print(f"        {os.path.basename(archive)[:-len('.deb')].replace('%3a', ':')}", flush=True)
        return os.path.join(unpacked, "usr/include"), ""

    def _options(self) -> List[str]:
        pairs = {"Dir::Etc::sourcelist": os.path.join(self.folder, "sources.list"), "Dir::Etc::sourceparts": "-",
                 "Dir::State": os.path.join(self.folder, "state"), "Dir::Cache": os.path.join(self.folder, "cache"),
                 "Acquire::Check-Valid-Until": "false",  # a mirror may lag; what it has is signed all the same
                 "Acquire::Languages": "none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false"}
        return [word for name, value in pairs.items() for word in ("-o", f"{name}={value}")]

    def _update(self) -> str:
        """The lists of the archive that this machine's packages come from."""
        if not shutil.which("apt-get") or not os.path.isfile(DEBIAN_KEYS):
            return f"this is not Debian: there is no apt-get, or no {DEBIAN_KEYS}"
        with open("/etc/os-release", encoding="utf-8") as file:
            release = re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.M)
        targets = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"],
                                 capture_output=True, text=True).stdout.splitlines()
        sites = [line.split()[1] for line in targets if release and line.split()[0] == release[1]]
        if not sites:
            return "apt has no archive of this release of Debian"
        for part in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, part), exist_ok=True)
        with open(os.path.join(self.folder, "sources.list"), "w", encoding="utf-8") as file:
            file.write(f"deb [signed-by={DEBIAN_KEYS}] {sites[0]} unstable main\n")
        return apt_get([], *self._options(), "update")


def lacks(row: Row, packages: Packages, unstable: Unstable) -> str:
    """Why the row cannot be run here, or ''."""
    for variable, (header, package) in NEWER.items() if row.newer else ():
        folder, why = os.environ.get(variable, ""), ""
        if not folder:
            folder, why = unstable.headers(package)
        if not why and not os.path.isfile(os.path.join(folder, header)):
            why = f"there is no {header} in {folder}"
        if why:
            return f"{why}; or let {variable} name the folder that has {header}"
        row.include += (folder,)
    absent = [name for name in HEADERS if not os.path.exists(os.path.join("/usr/include", name))] if row.cross else []
    if absent:
        return f"/usr/include has no {' and no '.join(absent)}; Debian has them in: libasio-dev nlohmann-json3-dev"
    here = shutil.which(row.compiler)       # by hand perhaps, and no package's
    missing = packages.missing([package for package in row.packages.split()
                                if not (here and package.replace("clang-", "clang++-") == row.compiler)])
    if missing:
        why = packages.install(missing)
        if why:
            return f"{' '.join(missing)}: {why}"
    for tool in (row.compiler, *row.runner[:1]):
        if not shutil.which(tool):
            return f"there is no {tool}; Debian has it in: {row.packages}"
    return ""


# ---- Running a row ----------------------------------------------------------------------------------------------


def build(row: Row, folder: str) -> Tuple[str, str]:
    """(the program's path, '') or ('', the compiler's words)."""
    program = os.path.join(folder, "demo.exe")  # Windows wants the ending, and nobody else minds
    include = [*(word for path in row.include for word in ("-isystem", path)), *CPPFLAGS]
    if row.cross:                           # /usr/include itself holds the C library of this machine
        include = ["-isystem", os.path.join(folder, "include")]
        os.mkdir(include[1])
        for name in HEADERS:
            os.symlink(os.path.join("/usr/include", name), os.path.join(include[1], name))
    command = [row.compiler, *row.flags.split(), "-pthread", *STRICT, *include, "-I.",
               "main.cpp", "-o", program, *row.libraries.split()]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                            stdin=subprocess.DEVNULL, timeout=COMPILE_SECONDS, env={**os.environ, "LC_ALL": "C"})
    words = result.stdout + result.stderr
    return (program, "") if result.returncode == 0 else ("", f"{' '.join(command)}\n{words}")


def check(row: Row) -> str:
    """What is wrong, or ''."""
    with tempfile.TemporaryDirectory(prefix="sio_matrix_") as folder:
        try:
            program, wrong = build(row, folder)
            if wrong:
                return wrong
            # Only wine reads these: no desktop, no words of its own, and nothing left in the user's home.
            env = {**os.environ, "WINEPREFIX": os.path.join(folder, "wine"), "WINEDEBUG": "-all", "DISPLAY": "",
                   "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe="}
            wine = [sys.executable, "tests/matrix/wine.py"] if WINE in row.runner else []
            result = subprocess.run(["node", "tests/matrix/smoke.js", *wine, *row.runner, program], cwd=ROOT, env=env,
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                    timeout=SMOKE_SECONDS)
            return "" if result.returncode == 0 else f"it compiles, but:\n{result.stdout}{result.stderr}"
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        finally:
            if WINE in row.runner:          # its own server would outlive it, and keep the folder
                subprocess.run([os.path.join(os.path.dirname(WINE), "wineserver"), "-k"], capture_output=True,
                               env={**os.environ, "WINEPREFIX": os.path.join(folder, "wine")})


# ---- Without a compiler -----------------------------------------------------------------------------------------

# Asio, nlohmann/json, and the standard library, whose headers have neither a dot nor a folder in their names.
PORTABLE = re.compile(r"<(?:asio/[\w/]+\.hpp|nlohmann/json\.hpp|\w+)>")


def foreign_includes(path: str, also: Tuple[str, ...] = ()) -> List[str]:
    """The lines that include something else, other than between #ifndef _WIN32 and its #else or #endif."""
    wrong, not_windows, includes = [], [], 0
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif|include)\b\s*([^\s/]\S*)?", line)
            if not match:
                continue
            directive, word = match[1], match[2] or ""
            if directive.startswith("if"):
                not_windows.append(directive == "ifndef" and word == "_WIN32")
            elif directive == "endif":
                not_windows.pop()
            elif directive != "include":
                not_windows[-1] = False
            else:
                includes += 1
                if not (PORTABLE.fullmatch(word) and word != "<csignal>" or word in also or any(not_windows)):
                    wrong.append(f"{path}:{number}: {line.strip()}")
    return wrong if includes else [f"{path}: no #include found"]


def header_is_portable() -> str:
    with open(os.path.join(ROOT, "sio_demo.hpp"), encoding="utf-8") as file:
        calls = [f"sio_demo.hpp:{number}: {line.strip()}" for number, line in enumerate(file, 1)
                 if re.search(r"\b(?:epoll|eventfd|kqueue|timerfd|signalfd)\w*\s*\(", line.split("//")[0])]
    return "\n".join(foreign_includes("sio_demo.hpp") + calls)


TEXT_CHECKS = [
    ("the header includes only C++, Asio and nlohmann/json, and calls no epoll", header_is_portable),
    # <csignal> is C++'s, but signals are the program's business, not the header's.
    ("main.cpp includes POSIX only where it is not Windows",
     lambda: "\n".join(foreign_includes("main.cpp", ("<csignal>", '"sio_demo.hpp"')))),
]


# ---- All together -----------------------------------------------------------------------------------------------


def report(what: str, name: str, seconds: float, wrong: str = "") -> None:
    lines = wrong.splitlines()
    more = [f"... {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    print(f"{what:6}  {name} ({seconds:.0f} s)")
    print("".join(f"        {line[:400]}\n" for line in lines[:LINES] + more), end="", flush=True)


def main() -> int:
    passed = failed = skipped = 0
    for name, function in TEXT_CHECKS:
        if chosen(name):
            wrong = function()
            passed, failed = passed + (not wrong), failed + bool(wrong)
            report("not ok" if wrong else "ok", name, 0, wrong)

    packages, jobs = Packages(), []
    with tempfile.TemporaryDirectory(prefix="sio_unstable_") as folder, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        unstable = Unstable(folder)

        def timed(row: Row) -> Tuple[str, float]:
            start = time.monotonic()
            return check(row), time.monotonic() - start

        for row in ROWS + other_compilers():
            if not chosen(row.name):
                continue
            why = lacks(row, packages, unstable)  # while it installs, the rows before it compile
            if why:
                skipped += 1
                print(f"skip    {row.name}: {why}", flush=True)
            else:
                jobs.append((row, pool.submit(timed, row)))
        for row, job in jobs:
            wrong, seconds = job.result()
            passed, failed = passed + (not wrong), failed + bool(wrong)
            report("not ok" if wrong else "ok", row.name, seconds, wrong)

    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not (passed or ONLY) else 0


if __name__ == "__main__":
    sys.exit(main())
