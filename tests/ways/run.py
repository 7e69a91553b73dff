#!/usr/bin/env python3
"""The ways into somebody else's program, each one gone in an empty folder: what README's section Building shows.

    tests/ways/run.py       (ONLY chooses checks by name)

The blocks are those that README.md marks by `<!-- way: NAME -->`, the program is README's first one on a free port.
A way has succeeded when the program that it has built answers a handshake. Blocks are typed as they stand, but
for -O2 and Release, without which building takes a third of the time; HOME is a temporary folder.

Closes with `N passed, N failed`.
"""

import functools
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from blocks import Running, free_port, listens, read_blocks  # noqa: E402
from common import ROOT, Results, environment  # noqa: E402

HEADER = os.path.join(ROOT, "sio_demo.hpp")
INSTALLED = ["include/sio_demo.hpp", "share/cmake/sio_demo/sio_demo-config-version.cmake",
             "share/cmake/sio_demo/sio_demo-config.cmake", "share/pkgconfig/sio_demo.pc"]
BODIES = '#define SIO_DEMO_IMPLEMENTATION\n#include "sio_demo.hpp"\n'


class Wrong(Exception):
    """What a check has found."""


# ---- README's blocks -------------------------------------------------------------------------------------


@functools.lru_cache(None)
def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return read_blocks(file.read())


def way(name: str) -> str:
    found = [block.text for block in readme() if block.mark(f"way: {name}")]
    if len(found) != 1:
        raise Wrong(f"README.md has {len(found)} blocks with the mark `<!-- way: {name} -->`, and should have one")
    return found[0].replace("-O2", "-O0").replace("=Release", "=Debug")


def program(port: int) -> str:
    text = readme()[0].text
    if ".port = 3000" not in text:
        raise Wrong("README.md: the first block does not say `.port = 3000`, which is replaced by a free port")
    return text.replace(".port = 3000", f".port = {port}")


# ---- A user with a home and an empty folder --------------------------------------------------------------


def write(path: str, text: str):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class User:
    def __init__(self, base: str):
        self.home, self.folder, self.port = os.path.join(base, "home"), os.path.join(base, "project"), free_port()
        os.mkdir(self.home)
        os.mkdir(self.folder)
        write(self.path("server.cpp"), program(self.port))

    def path(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    def try_(self, text: str, folder: str = ""):
        """Types text into bash: (did it succeed, what it printed)."""
        kept = {name: value for name, value in environment().items()
                if name not in ("PREFIX", "DESTDIR", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH")}
        result = subprocess.run(["bash", "-e", "-c", text], cwd=folder or self.folder, env={**kept, "HOME": self.home},
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=300)
        return result.returncode == 0, result.stdout + result.stderr

    def type(self, text: str, folder: str = "") -> str:
        fine, words = self.try_(text, folder)
        if not fine:
            raise Wrong(f"{text}\n{words}")
        return words

    def install(self):
        self.type(way("install"), ROOT)
        return os.path.join(self.home, ".local")

    def move(self):
        """The home, and what is installed in it, is elsewhere from now on."""
        self.home, old = self.home + " elsewhere", self.home
        os.rename(old, self.home)

    def cmake(self, text: str, command: str = ""):
        write(self.path("CMakeLists.txt"), text)
        return self.try_(command or way("cmake").replace("$HOME/.local", '"$HOME/.local"'))

    def answers(self, binary: str):
        server = Running([self.path(binary)], self.folder)
        try:
            server.wait_for(lambda: listens(self.port) or server.ended(), 20)
            if not listens(self.port):
                raise Wrong(f"{binary} was built, but does not listen on port {self.port} after 20 seconds\n{server.output}")
            url = f"http://localhost:{self.port}/socket.io/?EIO=4&transport=polling"
            body = urllib.request.urlopen(url, timeout=10).read().decode()
            if not body.startswith('0{"sid":"'):
                raise Wrong(f"{binary} was built, but answers a handshake by: {body[:200]}")
        finally:
            server.finish()


def built(outcome):
    fine, words = outcome
    if not fine:
        raise Wrong(words)


def refused(outcome, *texts: str):
    fine, words = outcome
    if fine:
        raise Wrong("it was accepted, and should have been refused")
    plain = " ".join(words.split())
    for text in texts:
        if text not in plain:
            raise Wrong(f"the message lacks: {text}\n{words}")


# ---- The ways -------------------------------------------------------------------------------------------


def copied(user: User):
    shutil.copy(HEADER, user.folder)
    user.type(way("copy"))
    user.answers("server")


def pkg_config(user: User):
    user.install()
    user.type(way("pkg-config"))
    user.answers("server")


def find_package(user: User):
    """Configured where it was installed, built from where it was moved to: a way and a half for one compilation."""
    user.install()
    built(user.cmake(way("find_package"), way("cmake").splitlines()[0]))
    shutil.rmtree(user.path("build"))
    user.move()
    built(user.cmake(way("find_package")))
    user.answers("build/server")


PROJECT = "cmake_minimum_required(VERSION 3.16)\nproject(chat CXX)\nadd_executable(server server.cpp)\n"


def add_library(user: User):
    """README's six lines, behind those that a project with one program has already."""
    os.mkdir(user.path("third_party"))
    shutil.copy(HEADER, user.path("third_party"))
    built(user.cmake(PROJECT + way("add_library")))
    user.answers("build/server")


def separate(user: User):
    os.mkdir(user.path("third_party"))
    shutil.copy(HEADER, user.path("third_party"))
    write(user.path("bodies.cpp"), BODIES)
    built(user.cmake(PROJECT + way("add_library") + way("separate")))
    user.answers("build/server")


# ---- What install promises ------------------------------------------------------------------------------


def files(folder: str):
    paths = glob.glob(os.path.join(folder, "**"), recursive=True, include_hidden=True) if sys.version_info >= (3, 11) \
        else glob.glob(os.path.join(folder, "**"), recursive=True)
    return sorted(os.path.relpath(path, folder) for path in paths if os.path.isfile(path))


def expect_files(folder: str, wanted):
    if files(folder) != wanted:
        raise Wrong(f"there should be: {wanted}\nbut there is: {files(folder)}")


def destdir(user: User):
    user.type(f"make install DESTDIR={user.home}/stage PREFIX=/opt/x", ROOT)
    expect_files(user.home, [f"stage/opt/x/{path}" for path in INSTALLED])
    said = user.type(f"grep -rF {user.home} {user.home} || true") + user.type(f"grep -rF /opt/x {user.home} || true")
    if said:
        raise Wrong(f"an installed file states where it was put:\n{said}")


def default_prefix(user: User):
    user.type(f"make install DESTDIR={user.home}", ROOT)
    expect_files(user.home, [f"usr/local/{path}" for path in INSTALLED])


def without_compiler(user: User):
    """Every command is there but compilers and what could install them."""
    os.mkdir(user.path("bin"))
    for folder in os.environ["PATH"].split(":"):
        for tool in os.listdir(folder) if os.path.isdir(folder) else []:
            if not re.search(r"\+\+|cc|clang|apt|dpkg|sudo|dnf|pacman|brew|apk", tool) and not os.path.lexists(user.path("bin", tool)):
                os.symlink(os.path.join(folder, tool), user.path("bin", tool))
    user.type(f"PATH={user.path('bin')} make install DESTDIR={user.home} PREFIX=/p", ROOT)
    expect_files(user.home, [f"p/{path}" for path in INSTALLED])


def uninstalled(user: User):
    prefix = user.install()
    write(os.path.join(prefix, "include/other.hpp"), "")
    user.type(way("install").replace("make install", "make uninstall"), ROOT)
    expect_files(prefix, ["include/other.hpp"])
    if os.path.exists(os.path.join(prefix, "share/cmake/sio_demo")):
        raise Wrong("share/cmake/sio_demo is left")


def version_of_header() -> str:
    with open(HEADER, encoding="utf-8") as file:
        lines = [line.split('"')[1] for line in file if line.startswith("#define SIO_DEMO_VERSION ")]
    return lines[0]


def versions(user: User):
    user.install()
    said = user.type("export PKG_CONFIG_PATH=$HOME/.local/share/pkgconfig; pkg-config --modversion sio_demo").strip()
    if said != version_of_header():
        raise Wrong(f"pkg-config says {said}, the header {version_of_header()}")
    if (wanted := ".".join(said.split(".")[:2])) not in way("find_package"):
        raise Wrong(f"README.md: find_package does not ask for {wanted}")
    configure = way("cmake").splitlines()[0]
    major, minor, patch = map(int, said.split("."))
    compatible = [f"{major}.{minor}", f"{major}.{minor}.{patch}", f"{major}.{minor}.{patch} EXACT", ""]
    for wanted in compatible:
        built(user.cmake(way("find_package").replace("sio_demo 0.1", f"sio_demo {wanted}"), configure))
    for wanted in ("9.0", f"{major}.{minor + 1}", f"{major}.{minor}.{patch + 1}", *([f"0.{minor - 1}"] if major == 0 and minor else [])):
        refused(user.cmake(way("find_package").replace("sio_demo 0.1", f"sio_demo {wanted}"), configure),
                f'requested version "{wanted}"', f"version: {said}")


def missing(user: User, hide: str, *texts: str):
    """A CMake that looks for nothing but in the user's own home is one that finds neither."""
    user.install()
    lines = way("find_package").replace("find_package(sio_demo", f"{hide}\nfind_package(sio_demo", 1)
    refused(user.cmake(lines, way("cmake").splitlines()[0]), *texts)


def without_asio(user: User):
    missing(user, "set(SIO_DEMO_ASIO_DIR SIO_DEMO_ASIO_DIR-NOTFOUND)\nset(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)\n"
            "set(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH FALSE)", "sio_demo needs Asio 1.22 or later",
            "apt-get install libasio-dev", "-DSIO_DEMO_ASIO_DIR=FOLDER")


def without_json(user: User):
    missing(user, "set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)\nset(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH FALSE)",
            "sio_demo needs nlohmann/json 3.11 or later", "apt-get install nlohmann-json3-dev", "-DSIO_DEMO_JSON_DIR=FOLDER")


CHECKS = [
    ("make install needs no compiler", without_compiler),
    ("make install without PREFIX is into /usr/local", default_prefix),
    ("make install honours DESTDIR, and writes no path into a file", destdir),
    ("make uninstall leaves what is not ours, and nothing else", uninstalled),
    ("versions: the header's, told by pkg-config; CMake takes the same minor one, and refuses others", versions),
    ("CMake says that Asio is missing, and what to do", without_asio),
    ("CMake says that nlohmann/json is missing, and what to do", without_json),
    ("the copied header, one line of g++", copied),
    ("make install, pkg-config", pkg_config),
    ("make install, moved elsewhere, CMake's find_package", find_package),
    ("the copied header, CMake's add_library", add_library),
    ("the copied header, CMake, bodies compiled once", separate),
]


def try_way(check) -> str:
    """What is wrong with a way, which is gone in a folder of its own."""
    with tempfile.TemporaryDirectory() as base:
        try:
            check(User(base))
        except Wrong as why:
            return str(why)
    return ""


def main() -> int:
    results = Results()
    results.add_all((name, functools.partial(try_way, check)) for name, check in CHECKS)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
