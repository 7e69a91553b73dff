#!/usr/bin/env python3
"""Holds the sources to rules.  [ONLY=PATTERN] tests/lint.py [--tools]: only the rules in whose names the pattern is found

Without --tools (make lint): what no tool knows, by Python alone. With --tools (make tidy): what clang-tidy, clang-format, codespell,
pyflakes and doxygen know; .clang-tidy, .clang-format, .codespellrc and .doxygen tell them. A rule is a row of QUICK or TOOLS: a name,
what it wants, a function of a folder that yields complaints, files that break it, and parts of what is then said of them. It is tried on
those files first, and fails if it misses a fault. A complaint is `FILE:LINE: RULE: what is wrong`. Closes with `N passed, N failed`: rules.
"""

import concurrent.futures
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as XML
import common

ROOT, HEADER, CPP = pathlib.Path(common.ROOT), "sio_demo.hpp", (".cpp", ".hpp")


def files(root, *endings):
    found = (path.relative_to(root) for path in root.rglob("*") if path.suffix in endings)
    return sorted(str(path) for path in found if "node_modules" not in path.parts and path.parts[0] != "build")


def lines(root, *paths):
    return ((path, n, line) for path in paths for n, line in enumerate((root / path).read_text("utf-8").split("\n"), 1))


# ---- What no tool knows: functions of a folder that yield (file, line, what is wrong) ---------------------


def chapters(root):
    text = (root / HEADER).read_text("utf-8")
    contents = re.findall(r"^//   (?: (?=\d ))?(\d+  \S.*?)(?:   .*)?$", text.partition("\n// ====")[0], re.M)
    banners = re.findall(r"^// ====+\n// {1,2}(\d+  .*)\n((?://.*\n)*?)// ====", text, re.M)
    titles = [title for title, _ in banners]
    if not titles or titles != contents or not all(title.startswith(f"{n}  ") for n, title in enumerate(titles, 1)):
        yield HEADER, 1, f"the contents are {contents}, the chapters are {titles}: make them agree, and number them in order"
    for title, prose in banners:
        if len(re.findall(r"^// *[^ \n]", prose, re.M)) < 6:
            yield HEADER, text[:text.index(f" {title}\n{prose}")].count("\n") + 1, f"`{title}` opens with less than 6 lines: say what it is"


def words(root):
    for path, n, line in lines(root, *files(root, *CPP, ".py", ".js", ".md")):
        if re.search(r"\t|[ \r]$", line):
            yield path, n, "has a tab, or ends with a blank"
    for path, n, line in lines(root, *files(root, *CPP)):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield path, n, "something is left to be done: do it, or say in words what is not done and why"
        if re.search(r"^using namespace (std|asio|nlohmann|sio_demo)\b(?!.*literals;)", line):
            yield path, n, "opens a namespace for all that follows: name what is used"
        code = re.sub(r'//.*|"(?:\\.|[^"\\])*"', "", line)
        if found := re.search(r"\b(\w*(Manager|Helper|Util)s?(?![a-z])\w*|(\w+_)?(manager|helper|utils?)(_\w+)?)\b", code):
            yield path, n, f"{found[0]} says nothing: name it by what it is"


def reasons(root):
    tests = "\n".join((root / path).read_text("utf-8") for path in files(root, *CPP, ".js") if path.startswith("tests"))
    rows = [(n, row[1]) for _, n, line in lines(root, HEADER) if (row := re.match(r'\s*X\((\w+), "', line))]
    for n, name in rows or [(1, "of_any_kind")]:
        if not re.search(rf"\b{name}\b", tests):
            yield HEADER, n, f"the reason {name} stands in no file of the tests: make something be refused for it"


# ---- What tools know ---------------------------------------------------------------------------------------

def run(root, *command, text=None, kind="(?:error: )?"):
    done = subprocess.run(command, cwd=root, input=text, capture_output=True, text=True, check=False)
    found = dict.fromkeys(re.findall(rf"^(.+?):(\d+):(?:\d+:?)? {kind}(.*)", done.stdout + done.stderr, re.M))
    yield from ((os.path.relpath(root / path, root), line, what) for path, line, what in found)
    if done.returncode and not found:
        yield "tests/lint.py", 1, f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}"


def clang_tidy(root, path, *options):
    options = ("--quiet", f"--config-file={ROOT}/.clang-tidy", *options, path, "--", "-x", "c++", "-std=c++20", "-pthread", "-I.")
    return run(root, "clang-tidy-19", *options, "-DSIO_DEMO_IMPLEMENTATION", *common.CPPFLAGS, kind="(?:warning|error): ")


def told(element, *parts):
    parts = [part for name in parts or ("briefdescription", "detaileddescription") for part in element.findall(name)]
    return "".join(text for part in parts for text in part.itertext()).strip()


def documentation(root):
    settings = (ROOT / ".doxygen").read_text("utf-8")
    with tempfile.TemporaryDirectory() as out:
        yield from run(root, "doxygen", "-", text=f"{settings}OUTPUT_DIRECTORY = {out}\n", kind="error: ")
        compounds = [found for path in pathlib.Path(out).glob("xml/*.xml") for found in XML.parse(path).getroot().iter("compounddef")]
    structs = [list(found.iter("memberdef")) for found in compounds if found.get("kind") == "struct"]
    for fields in (fields for fields in structs if any("Default:" in told(field) for field in fields)):
        yield from untrue_defaults(field for field in fields if field.get("kind") == "variable")
    if not structs:
        yield HEADER, 1, "doxygen finds no struct in it"
    source, documented = ["", *(root / HEADER).read_text("utf-8").split("\n")], {}
    classes = {told(found, "compoundname") for found in compounds if found.get("kind") in ("class", "struct", "union")}
    for scope, found in ((told(found, "compoundname"), found) for found in compounds):
        for member in found.iter("memberdef") if found.get("kind") == "namespace" else [found] if scope in classes else []:
            name = scope if member is found else f"{scope}::{told(member, 'name')}"
            if member.get("kind") == "variable" or name.rpartition("::")[0] in classes or re.search("[<@]", name):
                continue                           # inside of a class, or a specialisation
            n = line = int(member.find("location").get("line"))
            while source[n - 1].strip() and not source[n - 1].strip().startswith("//"):
                n -= 1                             # one comment may be for several names, without a blank line between them
            entry = documented.setdefault(re.sub(r"^sio_demo::(v\d+_\d+::)?", "", name), [line, False])
            entry[1] |= bool(told(member)) or source[n - 1].strip().startswith("///")
    for name, (line, said) in documented.items():
        if said == bool(re.search(rf"^# .* {name}\b", settings, re.M)):
            yield HEADER, line, f"{name} is documented: take it out of .doxygen" if said else f"{name} has no `///`: say its contract"


def value(text, kind=""):
    """A default as it is written or told: as a number, in bytes or milliseconds, if it is one."""
    if found := re.fullmatch(r"\{?(\d[\d',]*(?: \* \d+)*) ?([A-Za-z]*)\}?", text):
        unit = {"KiB": 1024, "MiB": 1024 ** 2, "s": 1000, "Seconds": 1000, "min": 60_000}.get(found[2] or kind, 1)
        return math.prod(int(re.sub("[',]", "", factor)) for factor in found[1].split(" * ")) * unit
    return {"loopback": '{"127.0.0.0/8", "::1"}', "5 to 15 s": "{Milliseconds(5'000), Milliseconds(15'000)}", '""': "{}",
            "100 at once, 50 a second": "{100, 50}"}.get(text, re.sub(r"^\w+::(?=\w+$)", "", text))


def untrue_defaults(fields):
    told_of, defaults = 0, []
    for field in fields:
        line, written = int(field.find("location").get("line")), told(field, "initializer").removeprefix("= ") or "{}"
        if line != told_of:                        # two of one line have one comment: `Default: 1 and 2.`
            found = re.search(r"Default: (.+?)(?:\.(?=\s|$)|;|$)", told(field))
            told_of, defaults = line, re.split(r" and (?=\d)", found[1]) if found else []
        default = re.split(r", (?=as |so |and )| \(", defaults.pop(0))[0] if defaults else "nothing"
        in_words = re.match(r"\{\}|\{\.", written) and isinstance(value(default), str) and default != "nothing"
        if value(default) != value(written, told(field, "type")) and not in_words:
            yield HEADER, line, f"{told(field, 'name')} is {written}, and its comment says `Default: {default}`: correct one"


# ---- The rules, and what breaks them -----------------------------------------------------------------------

CHAPTER = "// ====\n//  %s\n//\n// one line\n// ====\n"
LONG = "int step();\ninline int count() {\n" + "  step();\n" * 75 + "  return 1;\n}\n"
DEEP = "inline void dig() {\n" + "  if (step()) {\n" * 5 + "step();\n" + "}\n" * 6
QUICK = [
    ("chapters", "are as the contents say, and open with 6 lines of prose", chapters,
     {HEADER: "//    1  Options    knobs\n//    2  Bytes\n" + CHAPTER % "1  Options" + CHAPTER % "2  Text"}, ["the contents are", "`1  Options` op"]),
    ("words", "nothing left to be done, no opened namespace, no name that says nothing, no tab, no blank at an end", words,
     {HEADER: "// FIXME\nclass SocketManager;\nint string_utils();\n", "a.cpp": "using namespace std;\n", "a.js": "a; \n", "b.md": "\t\n"},
     [f"{HEADER}:1: ", "SocketManager says", "string_utils says", "a.cpp:1", "a.js:1", "b.md:1"]),
    ("reasons", "each reason for which the server refuses is met by a test", reasons,
     {HEADER: '  X(draining, "x", 503, 3, 0) \\\n', "tests/a.js": "'drain'"}, ["the reason draining"])]
TOOLS = [
    ("clang-tidy header", "likely bugs, includes, names, length and nesting of functions", lambda root: clang_tidy(root, HEADER),
     {HEADER: "#include <list>\n#include <future>\n#include <unistd.h>\n#define MIN 1\nusing namespace std;\nstd::string a;\n"
              "class Bad_name {};\ninline int size(char* p) { return sizeof(p) / sizeof(*p); }\n" + LONG + DEEP},
     ["header list is not used", "include future not", "include unistd.h not", "'MIN'", "using-directives", '"std::string"', "'Bad_name'",
      "bugprone-sizeof", "'count' exceeds", "'dig' exceeds"]),
    ("clang-tidy demo", "main.cpp: the same, but for includes", lambda root: clang_tidy(
        root, "main.cpp", "--checks=-misc-include-cleaner,-portability-restrict-system-includes"), {"main.cpp": LONG}, ["'count' exceeds"]),
    ("clang-format", "all C++ but the workshop's, whose pages are narrower", lambda root: run(
        root, "clang-format-19", "--dry-run", "-Werror", f"--style=file:{ROOT}/.clang-format", *files(root, *CPP), kind="error: "),
     {"a.cpp": "int  main(){}\n// " + "word " * 25}, ["a.cpp:1", "a.cpp:2"]),
    ("codespell", "no typo", lambda root: run(root, "codespell", "--config", f"{ROOT}/.codespellrc", "."),
     {"a.md": "It will recie" "ve.\n"}, ["==> receive"]),
    ("pyflakes", "no unused or unknown name", lambda root: run(root, "pyflakes3", *files(root, ".py")), {"a.py": "import os\n"}, ["'os' imported"]),
    ("doxygen", "each public name has a `///`, each option's comment states its default, which is true", documentation,
     {HEADER: "namespace sio_demo {\nclass Rate {};\n\nint three();\n\nusing Time = int;\n\nenum class Level { low };\n}\n"
              "struct Options {\n" + "".join(f"  /// Says. Default: {text};\n" for text in (
                  "3,001.\nint a = 3000", "20 s.\nMilliseconds b{2'000}", "20 s.\nSeconds c{2}", "1 MiB.\nint d = 16 * 1024", "true.\nbool e = no",
                  '"a".\nstring f = "b"', "warn.\nLevel g = Level::info", "none.\nList h{1, 2}", "1 and 2.\nint ok = 1, i = 3")) + "  int j;\n};\n"},
     ["Rate has no", "three has no", "Time has no", "Level has no", *(f" {name} is " for name in "abcdefghij")])]


def hold(rule):
    name, wants, check, sample, wanted = rule
    with tempfile.TemporaryDirectory() as folder:
        for path, text in sample.items():
            (pathlib.Path(folder) / path).parent.mkdir(exist_ok=True)
            (pathlib.Path(folder) / path).write_text(text, "utf-8")
        try:
            found, wrong = ([f"{path}:{line}: {name}: {what}" for path, line, what in check(root)] for root in (pathlib.Path(folder), ROOT))
        except FileNotFoundError as missing:
            return "skipped", f"{name}: there is no {missing.filename}", []
    wrong += [f"tests/lint.py:1: {name}: does not find `{want}` in its sample: {found}" for want in wanted if want not in "\n".join(found)]
    return "failed" if wrong else "passed", f"{name}: {wants}", wrong


def main():
    rules = [rule for rule in (TOOLS if "--tools" in sys.argv else QUICK) if common.chosen(rule[0])]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(hold, rules))
    for status, title, wrong in results:
        print(f"{dict(passed='ok', failed='not ok').get(status, status):8}{title}", *wrong, sep="\n")
    counts = {what: [status for status, _, _ in results].count(what) for what in ("passed", "failed", "skipped")}
    print(", ".join(f"{count} {what}" for what, count in counts.items() if count or what != "skipped"))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
