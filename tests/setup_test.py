#!/usr/bin/env python3
"""Tests of tests/setup that install nothing: the commands that it finds are fakes, which record how they are called.

    tests/setup_test.py [PATTERN]       (the tests whose names match the pattern; closes with `N passed, N failed`)
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SETUP = os.path.join(ROOT, "tests/setup")
POLICY = "/usr/sbin/policy-rc.d"
REAL = "awk cat cmp cp dirname env flock grep head ls mkdir mv paste rm sed sh sleep tr".split()

# The commands that a package brings; libraries bring none, the fake compiler looks for the package's name.
COMMANDS = {
    "g++": ["g++"], "clang": ["clang++"], "libasio-dev": [], "nlohmann-json3-dev": [], "doctest-dev": [],
    "clang-19": ["clang++-19"], "libclang-rt-19-dev": [], "llvm-19": [], "python3": ["python3"], "nodejs": ["node"], "npm": ["npm"], "curl": ["curl"],
    "faketime": ["faketime"], "redis-server": ["redis-server"], "nginx": ["nginx"], "caddy": ["caddy"],
    "libjemalloc2": [], "liblzf1": [], "chromium": ["chromium"], "cmake": ["cmake"], "pkgconf": ["pkg-config"], "clang-format-19": ["clang-format-19"],
    "clang-tidy-19": ["clang-tidy-19"], "codespell": ["codespell"], "doxygen": ["doxygen"], "pyflakes3": ["pyflakes3"],
}
TOOL = "echo fake version 19.1"
COMPILER = """
program=$(cat)
for row in asio/:libasio-dev json.hpp:nlohmann-json3-dev doctest.h:doctest-dev; do
  case "$program" in *${row%:*}*) [ -e "$FAKE/installed/${row#*:}" ] || exit 1 ;; esac
done
case "$program" in *coroutine*) [ ! -e "$FAKE/old-compiler" ] || exit 1 ;; esac"""
APT_GET = """
echo "apt-get $*" >>"$FAKE/calls"
case " $* " in
  *' -s '*) cat "$FAKE/plan" 2>/dev/null ;;
  *' download '*) for last; do case "$last" in -q | download) ;; *) : >"$last.deb" ;; esac; done ;;
  *' install '*)
    if [ -e "$FAKE/apt-fails" ]; then cat "$FAKE/apt-fails" >&2; exit 100; fi
    [ ! -e "$FAKE/slow" ] || sleep 1
    for package; do
      [ -d "$FAKE/packages/$package" ] || continue
      : >"$FAKE/installed/$package"
      cp "$FAKE/packages/$package"/* "$FAKE/bin" 2>/dev/null
    done ;;
esac
exit 0"""
DPKG = """
echo "dpkg $*" >>"$FAKE/calls"
package=${2%.deb}
mkdir -p usr/sbin
echo half >usr/sbin/$package
if [ -e "$FAKE/kill-in-dpkg" ]; then rm "$FAKE/kill-in-dpkg"; kill -9 $(cat "$FAKE/pid"); exit 1; fi
if [ -d "$FAKE/packages/$package" ]; then rm usr/sbin/$package; cp "$FAKE/packages/$package"/* usr/sbin; fi"""
NPM = """
echo "npm $*" >>"$FAKE/calls"
if [ -e "$FAKE/kill-in-npm" ]; then rm "$FAKE/kill-in-npm"; kill -9 $(cat "$FAKE/pid"); exit 1; fi
if [ -e "$FAKE/npm-fails" ]; then echo 'npm ERR! network down' >&2; exit 1; fi
mkdir -p node_modules"""
FAKES = {
    "apt-get": APT_GET, "dpkg": DPKG,
    "dpkg-query": 'for last; do :; done; [ ! -e "$FAKE/installed/$last" ] || echo installed',
    "apt-cache": '[ ! -e "$FAKE/not-offered/$2" ]',
    "id": 'if [ -e "$FAKE/user" ]; then echo 1000; else echo 0; fi',
    "unshare": 'if [ "$2" = true ]; then exit 0; fi; echo "unshare" >>"$FAKE/calls"; shift 5; exec "$@"',
}


class Machine:
    """A project of its own, and a PATH of fakes; all packages are there but those named."""

    def __init__(self, without=(), user=False, sudo=None, apt=True):
        self.folder = tempfile.mkdtemp(prefix="sio-setup-")
        self.project, self.fake = (os.path.join(self.folder, name) for name in ("project", "fake"))
        for folder in ("project/tests/e2e", "fake/bin", "fake/installed", "fake/packages", "fake/not-offered"):
            os.makedirs(os.path.join(self.folder, folder))
        shutil.copy(SETUP, os.path.join(self.project, "tests/setup"))
        self.lock("one")
        for name in REAL:
            path = shutil.which(name)
            if path:
                os.symlink(path, os.path.join(self.fake, "bin", name))
        for name, body in FAKES.items():
            if apt or not name.startswith(("apt", "dpkg")):
                self.command("bin", name, body)
        if sudo is not None:
            self.command("bin", "sudo", f'if [ "$1" = -v ]; then exit {sudo}; fi; echo "sudo $1" >>"$FAKE/calls"; exec "$@"')
        if user:
            self.flag("user")
        for package, names in COMMANDS.items():
            os.mkdir(os.path.join(self.fake, "packages", package))
            for name in names:
                self.command(f"packages/{package}", name, {"g++": COMPILER, "npm": NPM}.get(name, TOOL))
            if package not in without:
                self.flag(f"installed/{package}")
                for name in names:
                    shutil.copy(os.path.join(self.fake, "packages", package, name), os.path.join(self.fake, "bin"))
        if "nginx" in without:              # /usr/sbin is looked into, too, and may have one
            self.command("bin", "nginx", f"exec {self.project}/build/tools/nginx")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def command(self, folder, name, body):
        path = os.path.join(self.fake, folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{body.strip()}\n")
        os.chmod(path, 0o755)

    def flag(self, name, text=""):
        with open(os.path.join(self.fake, name), "w", encoding="utf-8") as file:
            file.write(text)

    def lock(self, text):
        with open(os.path.join(self.project, "tests/e2e/package-lock.json"), "w", encoding="utf-8") as file:
            file.write(text)

    def has(self, path):
        return os.path.exists(os.path.join(self.project, path))

    def start(self, *words, **variables):
        env = {"PATH": os.path.join(self.fake, "bin"), "FAKE": self.fake, **variables}
        script = 'echo $$ >"$FAKE/pid"; exec sh tests/setup "$@"'
        return subprocess.Popen(["/bin/sh", "-c", script, "sh", *words], cwd=self.project, env=env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def calls(self):
        with open(os.path.join(self.fake, "calls"), encoding="utf-8") as file:
            return file.read().splitlines()

    def setup(self, *words, **variables):
        """Runs it; its exit code, the lines it wrote, and the calls of apt-get, dpkg, npm, sudo and unshare."""
        self.flag("calls")
        process = self.start(*words, **variables)
        output = process.communicate(timeout=60)[0]
        return process.returncode, output.splitlines(), self.calls()

    def quiet(self, *words):
        result = self.setup(*words)
        assert result == (0, [], []), f"a run with nothing to do: {result}"


def equal(actual, expected):
    assert actual == expected, f"\n  expected {expected!r}\n  got      {actual!r}"


NPM_LINE = ("setup: make test needs the npm packages that tests/e2e/package-lock.json names: "
            "installing them into tests/e2e/node_modules (npm ci)")


def test_nothing_is_missing():
    with Machine() as machine:
        machine.quiet("build")
        machine.quiet("tidy")
        equal(os.listdir(machine.project), ["tests"])


def test_one_line_then_silence():
    with Machine(without=["doctest-dev", "nodejs"]) as machine:
        code, lines, calls = machine.setup("test")
        equal((code, lines), (0, ["setup: make test needs doctest (doctest/doctest.h), Node.js 18.19 or newer: "
                                  "installing doctest-dev nodejs (apt-get)", NPM_LINE]))
        equal(calls, ["unshare", "apt-get -q -o DPkg::Lock::Timeout=120 update",
                      "apt-get -s install --no-install-recommends --no-upgrade doctest-dev nodejs", "unshare",
                      "apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends --no-remove --no-upgrade "
                      "doctest-dev nodejs", "npm ci --ignore-scripts --no-audit --no-fund"])
        machine.quiet("test")


def test_a_level_installs_nothing_of_another():
    with Machine(without=["nodejs", "curl", "clang", "nginx"]) as machine:
        machine.quiet("build")


def test_servers_are_unpacked_not_installed():
    policy = os.path.exists(POLICY) and os.stat(POLICY)
    with Machine(without=["redis-server", "libjemalloc2", "liblzf1", "nginx", "cmake"]) as machine:
        code, lines, calls = machine.setup("check")
        equal(code, 0)
        equal(lines[0], "setup: make check needs redis-server, nginx, CMake 3.16 or newer: installing libjemalloc2 liblzf1 "
                        "cmake (apt-get), unpacking redis-server redis-tools nginx into build/tools")
        installed = next(call for call in calls if call.startswith("apt-get -q -o DPkg::Lock::Timeout=120 install"))
        assert installed.endswith(" --no-upgrade libjemalloc2 liblzf1 cmake"), installed
        equal([call for call in calls if call.startswith("dpkg")], [f"dpkg -x {name}.deb ." for name in ("nginx", "redis-server", "redis-tools")])
        assert machine.has("build/tools/nginx") and not machine.has("build/tools/new")
        machine.quiet("check")
    equal(os.path.exists(POLICY) and os.stat(POLICY), policy)


def test_no_service_can_be_started():
    with open(SETUP, encoding="utf-8") as file:
        text = file.read()
    assert "policy-rc.d" not in text and "systemctl" not in text and "trap" not in text
    servers = re.findall(r"^(redis-server|nginx|caddy) *\|[^|]*\|([^|]*)\|", text, re.M)
    equal(len(servers), 3)
    for name, packages in servers:
        assert f"+{name}" in packages.split() and name not in packages.split(), packages


def test_unpacking_needs_no_root():
    with Machine(without=["redis-server", "caddy"], user=True) as machine:
        code, lines, calls = machine.setup("check")
        equal((code, lines[0]), (0, "setup: make check needs redis-server, Caddy: unpacking redis-server redis-tools caddy into build/tools"))
        assert not any(" install" in call for call in calls), calls


def test_neither_root_nor_sudo():
    with Machine(without=["doctest-dev", "curl"], user=True) as machine:
        equal(machine.setup("test"), (1, [
            "setup: make test needs doctest (doctest/doctest.h), curl, and you are neither root nor have sudo; "
            "type this as root, then try again:",
            "    apt-get update && apt-get install --no-install-recommends doctest-dev curl"], []))


def test_sudo():
    with Machine(without=["nlohmann-json3-dev"], user=True, sudo=0) as machine:
        code, lines, calls = machine.setup("build")
        equal((code, lines), (0, ["setup: the demo needs nlohmann/json (json.hpp): installing nlohmann-json3-dev (sudo apt-get)"]))
        assert calls.count("sudo unshare") + calls.count("sudo env") >= 2, calls
        machine.quiet("build")


def test_sudo_that_refuses():
    with Machine(without=["nlohmann-json3-dev"], user=True, sudo=1) as machine:
        code, lines, calls = machine.setup("build")
        equal((code, lines[1:], calls), (1, ["setup: sudo does not let you in; type this as root, then try again:",
                                            "    apt-get update && apt-get install --no-install-recommends nlohmann-json3-dev"], []))


def test_removal_is_refused():
    with Machine(without=["nodejs"]) as machine:
        machine.flag("plan", "Remv nodejs-old [18]\nInst nodejs (20 Debian)\n")
        code, lines, calls = machine.setup("test")
        equal((code, lines[1:]), (1, ["setup: apt-get would have to remove nodejs-old for that, so nothing is changed"]))
        assert not any("install -y" in call for call in calls), calls


def test_newer_versions_of_others_are_named():
    with Machine(without=["doctest-dev"]) as machine:
        machine.flag("plan", "Inst libc6 [2.36-9] (2.36-10 Debian)\nInst doctest-dev (2.4 Debian)\n")
        code, lines, _ = machine.setup("test")
        equal((code, lines[1]), (0, "setup: apt-get also upgrades what these depend on: libc6"))


def test_apt_get_fails():
    for error in ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)",
                  "E: Failed to fetch doctest-dev_2.deb  Temporary failure resolving 'mirror'"):
        with Machine(without=["doctest-dev"]) as machine:
            machine.flag("apt-fails", error + "\n")
            code, lines, _ = machine.setup("test")
            equal((code, lines[1:]), (1, ["setup: apt-get cannot install doctest-dev; build/setup.log says:", "    " + error]))


def test_installed_but_not_usable():
    with Machine(without=["doctest-dev"]) as machine:
        machine.command("bin", "apt-get", "exit 0")
        code, lines, _ = machine.setup("test")
        equal((code, lines[1]), (1, "setup: installed, yet still not usable: doctest (doctest/doctest.h) (is an older one first in the PATH?)"))


def test_old_compiler():
    with Machine() as machine:
        machine.flag("old-compiler")
        equal(machine.setup("build"), (1, ["setup: 'g++  ' compiles no C++20 program (g++ 11, clang++ 14 or newer do)"], []))
        equal(machine.setup("build", CXX="g++-77"), (1, ["setup: CXX=g++-77: no such compiler"], []))


def test_what_the_lists_lack_and_the_tests_can_do_without():
    with Machine(without=["clang-format-19"]) as machine:
        machine.flag("not-offered/clang-format-19")
        machine.quiet("tidy")


def test_other_package_managers():
    for name, command in (("dnf", "sudo dnf install doctest-devel nodejs-npm"), ("pacman", "sudo pacman -S --needed doctest npm"),
                          ("brew", 'brew install doctest node && export CPLUS_INCLUDE_PATH="$(brew --prefix)/include"'),
                          ("apk", "apk add doctest-dev npm")):
        with Machine(without=["doctest-dev", "npm"], apt=False) as machine:
            machine.command("bin", name, "exit 1")
            equal(machine.setup("test"), (1, ["setup: make test needs doctest (doctest/doctest.h), npm, and there is no apt-get; "
                                              "type this, then try again:", "    " + command], []))


def test_npm_packages_follow_the_lock():
    with Machine() as machine:
        equal(machine.setup("test"), (0, [NPM_LINE], ["npm ci --ignore-scripts --no-audit --no-fund"]))
        machine.quiet("test")
        machine.lock("two")
        equal(machine.setup("test")[2], ["npm ci --ignore-scripts --no-audit --no-fund"])
        machine.quiet("test")


def test_npm_fails_or_is_killed():
    with Machine() as machine:
        machine.flag("npm-fails")
        equal(machine.setup("test")[:2], (1, [NPM_LINE, "setup: npm ci failed; build/setup.log says:", "    npm ERR! network down"]))
        os.remove(os.path.join(machine.fake, "npm-fails"))
        machine.setup("test")
        machine.lock("two")
        machine.flag("kill-in-npm")
        equal(machine.setup("test")[0], -9)
        machine.lock("one")
        equal(machine.setup("test")[:2], (0, [NPM_LINE]))
        machine.quiet("test")


def test_killed_while_unpacking():
    with Machine(without=["nginx"]) as machine:
        machine.flag("kill-in-dpkg")
        equal(machine.setup("check")[0], -9)
        assert not machine.has("build/tools/nginx")
        equal(machine.setup("check")[0], 0)
        machine.quiet("check")


def test_two_at_once():
    with Machine(without=["doctest-dev"]) as machine:
        machine.flag("slow")
        machine.flag("calls")
        both = [machine.start("test"), machine.start("test")]
        output = "".join(process.communicate(timeout=60)[0] for process in both)
        equal([process.returncode for process in both], [0, 0])
        equal(output.count("installing doctest-dev"), 1)
        equal(sum(" install -y " in call for call in machine.calls()), 1)


def test_usage():
    with Machine() as machine:
        equal(machine.setup(), (2, ["usage: tests/setup build|test|check|fuzz|tidy"], []))
        equal(machine.setup("everything")[0], 2)


def test_each_need_has_a_row_and_each_row_is_needed():
    with open(SETUP, encoding="utf-8") as file:
        text = file.read()
    rows = [line.split("|") for line in re.search(r"\nthings='\n(.*?)'", text, re.S).group(1).splitlines()[1:]]
    names = {row[0].strip() for row in rows}
    lists = re.findall(r"""^(?:build|test|check|fuzz|tidy)=['"](.*?)['"]$""", text, re.M)
    equal(len(lists), 5)
    equal({word for words in lists for word in words.split() if not word.startswith("$")}, names)
    for row in rows:
        assert len(row) == 7 and all(cell.strip() for cell in row), row


def test_the_lock_names_no_registry():
    with open(os.path.join(ROOT, "tests/e2e/package-lock.json"), encoding="utf-8") as file:
        equal(re.findall(r'"resolved": *"[^"]*"|"[^"]*registry[^"]*"', file.read()), [])


def test_it_may_be_executed():
    assert os.stat(SETUP).st_mode & stat.S_IXUSR


def main():
    pattern = sys.argv[1] if sys.argv[1:] else ""
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or not re.search(pattern, name):
            continue
        try:
            test()
            passed += 1
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED: {name}: {error!r}" if not isinstance(error, AssertionError) else f"FAILED: {name}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
