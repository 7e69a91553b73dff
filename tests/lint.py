#!/usr/bin/env python3
"""Reads the sources, and holds the rules that no compiler holds. Compiles nothing.

    tests/lint.py [--selftest] [--format] [WORD...]      (make lint; only the rules whose names hold all the words)

A rule is a row of RULES: a name, what it wants, and a function of the Project that yields its complaints, each printed as
`FILE:LINE: RULE: what is wrong, and what to do`. --selftest first shows each rule samples that break it, and fails
where it does not complain; the suite does so. --format (make format) writes what clang-format would have complained of.

Closes with `N passed, N failed[, N skipped]`: rules, and with --selftest the samples, too.
"""

import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER, MAIN, README, MAKEFILE = "sio_demo.hpp", "main.cpp", "README.md", "Makefile"

COLUMNS = 120
LEAST_PROSE = 6                                    # lines of a chapter's opening
DOCUMENTED_CHAPTERS = (1, 3, 8, 9, 11, 12, 13, 14)
LONGEST, LONGEST_95, DEEPEST = 75, 45, 4           # a function: lines, lines of 95 of 100, levels
OPTION_STRUCTS = ("Rate", "CorsOptions", "CookieOptions", "HttpLimits", "RecoveryOptions", "Options", "redis::Options", "demo::Config")

# Functions that may be longer or deeper: {name: (lines, levels, why)}. A limit that holds today; it may only fall.
ALLOWED: Dict[str, Tuple[int, int, str]] = {
    "flags": (92, 2, "a table, a row for each flag of the command line"),
}


class Complaint(NamedTuple):
    path: str
    line: int
    what: str


class Skip(Exception):
    """Why a rule cannot be held here."""


# ---- C++, as far as it is understood here: a text without its comments and strings, in tokens, in scopes ------------------


LEXEMES = re.compile(r'''
    (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<raw>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<char>'(?:\\.|[^'\\\n])+')
  | (?P<word>[A-Za-z_]\w*|\d(?:'?[\w.])*)
''', re.M | re.S | re.X)
TOKENS = re.compile(r'[A-Za-z_]\w*|\d(?:\'?[\w.])*|"[^"]*"|::|->|\S')
CONTROLS = ("if", "for", "while", "switch", "catch")


class Source:
    """A file. `code` is its text with comments, directives and the insides of literals blanked, so that places stay."""

    def __init__(self, path: str, text: str):
        self.path, self.text, self.lines = path, text, text.splitlines()
        self.raw_lines = set()
        kept, last = [], 0
        for found in LEXEMES.finditer(text):
            kept.append(text[last:found.start()])
            kept.append(self.blanked(found))
            last = found.end()
        self.code = "".join(kept) + text[last:]
        self.starts = [0] + [m.end() for m in re.finditer("\n", text)]

    def blanked(self, found) -> str:
        kind, text = found.lastgroup, found[0]
        if kind == "mark":
            kind = "raw"                           # the last group that was closed
        if kind == "word":
            return text
        blank = re.sub(r"[^\n]", " ", text)
        if kind in ("raw", "string"):
            if kind == "raw":
                first = found.string.count("\n", 0, found.start()) + 1
                self.raw_lines.update(range(first, first + text.count("\n") + 1))
            return '"' + blank[1:-1] + '"'
        return "'" + blank[1:-1] + "'" if kind == "char" else blank

    def line_of(self, place: int) -> int:
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle] <= place else (low, middle)
        return low + 1

    def complaint(self, line: int, what: str) -> Complaint:
        return Complaint(self.path, line, what)


@dataclass
class Function:
    name: str
    path: str
    line: int
    lines: int = 0
    levels: int = 0
    deepest: int = 0                               # the line of the deepest level


class Declaration(NamedTuple):
    kind: str                                      # class, function, using, constant, ...
    scope: str                                     # "redis", "http::detail", "Socket"; "" is the outermost
    in_type: bool
    name: str
    line: int
    text: str                                      # from its first token to its `;`, or its `{...}` included
    body: bool                                     # a type's or function's
    template: bool


class Parser:
    """Finds declarations and functions by braces and words. It knows no types: what looks like a function is one."""

    def __init__(self, source: Source):
        self.source = source
        self.places = [m.start() for m in TOKENS.finditer(source.code)]
        self.tokens = [m[0] for m in TOKENS.finditer(source.code)]
        self.match = self.pairs()
        self.functions: List[Function] = []
        self.declarations: List[Declaration] = []
        self.scope(0, len(self.tokens), [], False)

    def line(self, i: int) -> int:
        return self.source.line_of(self.places[min(i, len(self.places) - 1)])

    def pairs(self) -> Dict[int, int]:
        closes, stack, match = {"(": ")", "[": "]", "{": "}"}, [], {}
        for i, token in enumerate(self.tokens):
            if token in closes:
                stack.append(i)
            elif token in closes.values():
                if not stack or closes[self.tokens[stack[-1]]] != token:
                    raise ValueError(f"{self.source.path}:{self.source.line_of(self.places[i])}: `{token}` closes nothing")
                match[stack[-1]] = i
                match[i] = stack.pop()
        if stack:
            raise ValueError(f"{self.source.path}:{self.source.line_of(self.places[stack[-1]])}: `{self.tokens[stack[-1]]}` is never closed")
        return match

    # A scope: the file, a namespace, a class.

    def scope(self, i: int, end: int, path: List[str], in_type: bool):
        start = i
        while i < end:
            token = self.tokens[i]
            if token == ";":
                self.declare(start, i, path, in_type, False)
                start = i = i + 1
            elif token == ":" and self.tokens[start] in ("public", "private", "protected"):
                start = i = i + 1
            elif token == "template" and self.tokens[i + 1] == "<":
                i = self.after_angles(i + 1)
            elif token in "([":
                self.expression(i + 1, self.match[i], None, 0)
                i = self.match[i] + 1
            elif token == "{":
                start, i = self.braces(start, i, path, in_type)
            else:
                i += 1

    def after_angles(self, i: int) -> int:
        depth = 0
        while True:
            if self.tokens[i] in "([{":
                i = self.match[i]
            depth += {"<": 1, ">": -1}.get(self.tokens[i], 0)
            i += 1
            if depth == 0:
                return i

    def head(self, start: int, end: int) -> List[int]:
        """The tokens of a declaration but templates' parameters and arguments, and what parentheses hold."""
        kept, i, angles = [], start, True
        while i < end:
            if self.tokens[i] == "template" and self.tokens[i + 1] == "<":
                i = self.after_angles(i + 1)
                continue
            if self.tokens[i] == "<" and angles and i > start and re.match(r"[A-Za-z_]", self.tokens[i - 1]) and self.tokens[i - 1] != "operator":
                i = self.after_angles(i)
                continue
            angles = angles and self.tokens[i] != "="
            kept.append(i)
            i = self.match[i] if self.tokens[i] in ("(", "[", "{") else i + 1
            if i < end and self.tokens[i] in (")", "]", "}"):
                kept.append(i)
                i += 1
        return kept

    def braces(self, start: int, i: int, path: List[str], in_type: bool) -> Tuple[int, int]:
        """A `{` in a scope, and where its declaration now begins, and where to go on."""
        end = self.match[i]
        head = self.head(start, i)
        words = [self.tokens[k] for k in head]
        if "namespace" in words[:2] or words[:1] == ["extern"]:
            name = [] if words[:1] in (["inline"], ["extern"]) else [w for w in words if w != "namespace" and w != "::"]
            self.scope(i + 1, end, path + name, False)
            return end + 1, end + 1
        kind = self.kind(words)
        if kind in ("class", "struct", "union"):
            self.declare(start, end + 1, path, in_type, True, head)
            self.scope(i + 1, end, path + [self.name_of(kind, head)], True)
            return end + 1, end + 1
        if kind == "function" and not self.is_requirement(i) and not self.is_member_initializer(head, i):
            self.declare(start, end + 1, path, in_type, True, head)
            self.function(self.name_of(kind, head), head, i)
            return end + 1, end + 1
        if kind != "enum":
            self.expression(i, end + 1, None, 0)
        return start, end + 1

    @staticmethod
    def kind(words: List[str]) -> str:
        while words and words[0] in ("inline", "constexpr", "static", "friend", "explicit", "virtual", "typedef", "SIO_DEMO_INLINE"):
            words = words[1:]
        first = words[0] if words else ""
        if first in ("using", "concept", "friend", "static_assert", "enum"):
            return first
        if "operator" in words:
            return "function"
        equals = words.index("=") if "=" in words else len(words)
        if Parser.parameters(words[:equals]) >= 0:
            return "function"
        return first if first in ("class", "struct", "union") else "constant"

    @staticmethod
    def parameters(words: List[str]) -> int:
        """Where a function's parameters begin; -1: it has none."""
        others = ("decltype", "noexcept", "requires", "alignas", "explicit")
        return next((k for k, word in enumerate(words) if word == "(" and k and words[k - 1] not in others), -1)

    def is_requirement(self, i: int) -> bool:
        before = i - 1
        if self.tokens[before] == ")":
            before = self.match[before] - 1
        return self.tokens[before] == "requires"

    def is_member_initializer(self, head: List[int], i: int) -> bool:
        """The brace of `: member_{1}`, and not the body behind it."""
        words = [self.tokens[k] for k in head]
        closed = words.index(")") if ")" in words else len(words)
        before = self.tokens[i - 1]
        return ":" in words[closed:] and bool(re.fullmatch(r"\w+|>", before)) and before not in ("const", "noexcept", "override", "final", "try")

    def name_of(self, kind: str, head: List[int]) -> str:
        words = [self.tokens[k] for k in head]
        if kind == "function":
            if "operator" in words:
                at = words.index("operator")
                rest = words[at + 1:]
                tail = "()" if rest[:2] == ["(", ")"] else "".join(rest[:rest.index("(")]) if "(" in rest else ""
                return "operator" + tail
            at = self.parameters(words)
            first = at - 1
            while first > 0 and words[first - 1] in ("::", "~") or first > 1 and words[first] in ("::", "~"):
                first -= 1
            return "".join(words[first:at])
        if kind in ("class", "struct", "union", "enum", "using", "concept", "friend"):
            words = [w for w in words if w not in ("inline", "constexpr", "static")]
            rest = [w for w in words[1:] if re.match(r"[A-Za-z_]", w) and w not in ("class", "struct", "alignas")]
            return rest[0] if rest else ""
        for k, word in enumerate(words):
            if word in ("=", "{", "[") and k:
                return words[k - 1]
        return words[-1] if words else ""

    def declare(self, start: int, end: int, path: List[str], in_type: bool, body: bool, head: Optional[List[int]] = None):
        if start >= end:
            return
        head = self.head(start, end) if head is None else head
        words = [self.tokens[k] for k in head]
        kind = self.kind(words)
        stop = self.places[end - 1] + len(self.tokens[end - 1])
        self.declarations.append(Declaration(kind, "::".join(path), in_type, self.name_of(kind, head) if words else "", self.line(start),
                                             self.source.text[self.places[start]:stop], body, self.tokens[start] == "template"))

    # A function: statements, and what is nested in them.

    def function(self, name: str, head: List[int], brace: int):
        words = [self.tokens[k] for k in head]
        last = name.split("::")[-1].replace("~", "")
        at = next((head[k] for k, word in enumerate(words) if word == last or word == "operator" and "operator" in name), brace)
        function = Function(name, self.source.path, self.line(at))
        function.lines = self.line(self.match[brace]) - function.line + 1
        self.functions.append(function)
        self.block(brace, function, 0)

    def note(self, function: Function, levels: int, i: int):
        if levels > function.levels:
            function.levels, function.deepest = levels, self.line(i)

    def block(self, i: int, function: Function, levels: int) -> int:
        end, i = self.match[i], i + 1
        while i < end:
            i = self.statement(i, function, levels)
        return end + 1

    def nested(self, i: int, function: Function, levels: int) -> int:
        self.note(function, levels, i)
        return self.block(i, function, levels) if self.tokens[i] == "{" else self.statement(i, function, levels)

    def statement(self, i: int, function: Function, levels: int) -> int:
        token = self.tokens[i]
        if token == "{":
            return self.nested(i, function, levels + 1)
        if token in CONTROLS:
            while self.tokens[i] != "(":
                i += 1                             # constexpr
            self.expression(i + 1, self.match[i], function, levels)
            i = self.nested(self.match[i] + 1, function, levels + 1)
            return self.otherwise(i, function, levels) if token == "if" else i
        if token in ("do", "try"):
            return self.nested(i + 1, function, levels + 1)   # `while (...);` then looks like a loop without a body
        if token in ("case", "default"):
            while self.tokens[i] != ":":
                i += 1
            return i + 1
        start = i
        while self.tokens[i] not in (";", "}"):
            i = self.match[i] + 1 if self.tokens[i] in ("(", "[", "{") else i + 1
        self.expression(start, i, function, levels)
        return i + 1 if self.tokens[i] == ";" else i

    def otherwise(self, i: int, function: Function, levels: int) -> int:
        if self.tokens[i] != "else":
            return i
        return self.statement(i + 1, function, levels) if self.tokens[i + 1] == "if" else self.nested(i + 1, function, levels + 1)

    def expression(self, i: int, end: int, function: Optional[Function], levels: int):
        """Looks for lambdas, which are a level of their function, or a function if they have none."""
        while i < end:
            if self.tokens[i] == "{" and self.is_body(i):
                if function:
                    i = self.nested(i, function, levels + 1)
                else:
                    self.function("a lambda", [], i)
                    i = self.match[i] + 1
            else:
                i += 1

    def is_body(self, i: int) -> bool:
        """Of a lambda, or of a function of a class inside of a function."""
        if self.is_requirement(i):
            return False
        k = i - 1
        while re.fullmatch(r"[A-Za-z_]\w*|::|->|[<>*&]", self.tokens[k]):
            k -= 1
        if self.tokens[k] == "]":
            return k == i - 1
        return self.tokens[k] == ")" and (k == i - 1 or self.tokens[k + 1] in ("->", "mutable", "noexcept", "const", "override"))


# ---- The project --------------------------------------------------------------------------------------------------------


@dataclass
class Project:
    """The files of the project, or, of a sample, those that are given."""
    files: Optional[Dict[str, str]] = None
    sources: Dict[str, Source] = field(default_factory=dict)
    parsers: Dict[str, Parser] = field(default_factory=dict)

    def exists(self, path: str) -> bool:
        return path in self.files if self.files is not None else os.path.exists(os.path.join(ROOT, path))

    def read(self, path: str) -> str:
        if self.files is not None:
            return self.files.get(path, "")
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()

    def source(self, path: str) -> Source:
        if path not in self.sources:
            self.sources[path] = Source(path, self.read(path))
        return self.sources[path]

    def parser(self, path: str) -> Parser:
        if path not in self.parsers:
            self.parsers[path] = Parser(self.source(path))
        return self.parsers[path]

    def paths(self, *endings: str) -> List[str]:
        """Those of the tests, but what npm brings and what a build leaves."""
        if self.files is not None:
            return [path for path in self.files if path.startswith("tests/") and path.endswith(endings)]
        found = glob.glob(os.path.join(ROOT, "tests", "**"), recursive=True)
        return sorted(os.path.relpath(path, ROOT) for path in found
                      if path.endswith(endings) and "node_modules" not in path and os.path.isfile(path))

    def cpp(self) -> List[str]:
        ours = [path for path in (HEADER, MAIN) if self.exists(path)]
        return ours + [path for path in self.paths(".cpp", ".hpp") if not path.startswith("tests/workshop/")]

    def chapters(self) -> List[Tuple[int, str, int, int]]:
        """(number, title, line of the title, lines of prose), by the banners between two lines of `// ====`."""
        lines, found = self.source(HEADER).lines, []
        for n, line in enumerate(lines):
            title = re.match(r"// {1,2}(\d+)  (\S.*)$", line)
            if title and n and lines[n - 1].startswith("// ====="):
                end = next((m for m in range(n + 1, len(lines)) if not lines[m].startswith("//") or lines[m].startswith("// =====")), n)
                prose = [text for text in lines[n + 1:end] if text.strip("/ ")]
                found.append((int(title[1]), title[2].strip(), n + 1, len(prose)))
        return found

    def chapter_of(self, line: int) -> int:
        return max((number for number, _, begin, _ in self.chapters() if begin <= line), default=0)


# ---- The rules: each a function of the project that yields complaints ----------------------------------------------------


def contents(project: Project) -> Iterator[Complaint]:
    source, chapters = project.source(HEADER), project.chapters()
    first = chapters[0][2] if chapters else len(source.lines)
    listed = []
    for n, line in enumerate(source.lines[:first - 2], 1):
        entry = re.match(r"//   ( \d|\d\d)  (\S.*?)(?:   +.*)?$", line)
        if entry:
            listed.append((int(entry[1]), entry[2], n))
    if not chapters or not listed:
        yield source.complaint(1, "has no contents on its first page, or no chapters: write both")
    for k in range(max(len(listed), len(chapters))):
        inside = listed[k][:2] if k < len(listed) else None
        banner = chapters[k][:2] if k < len(chapters) else None
        if inside != banner:
            line = chapters[k][2] if banner else listed[k][2]
            yield source.complaint(line, f"the contents say {inside or 'nothing'} where the chapter is {banner or 'missing'}: make them agree")
        elif inside[0] != k + 1:
            yield source.complaint(chapters[k][2], f"chapter {inside[0]} is the {k + 1}. one: number them in order")


def openings(project: Project) -> Iterator[Complaint]:
    for number, title, line, prose in project.chapters():
        if prose < LEAST_PROSE:
            yield project.source(HEADER).complaint(
                line, f"chapter {number}, {title}, opens with {prose} lines: say in {LEAST_PROSE} what it is, what it assumes, and show some")


def blocks_before(source: Source, line: int) -> Tuple[str, bool]:
    """The comment before a line, in one string; and whether another declaration stands between, without a blank line."""
    n, shared = line - 2, False
    while n >= 0 and source.lines[n].strip() and not source.lines[n].strip().startswith("//"):
        n, shared = n - 1, True
    texts = []
    while n >= 0 and source.lines[n].strip().startswith("//"):
        texts.insert(0, source.lines[n].strip())
        n -= 1
    return "\n".join(texts), shared


UNITS = {"": 1, "KiB": 1024, "MiB": 1024 ** 2, "ms": 1, "s": 1000, "min": 60_000}
# What is not stated as it is written: {stated: how it is initialised}.
IN_WORDS = {"loopback": '{"127.0.0.0/8","::1"}', "5 to 15 s": "{Milliseconds(5'000),Milliseconds(15'000)}"}


def number_stated(text: str) -> Optional[int]:
    found = re.fullmatch(r"([\d,]+) ?(KiB|MiB|ms|s|min)?", text)
    return int(found[1].replace(",", "")) * UNITS[found[2] or ""] if found else None


def number_written(initializer: str, kind: str) -> Optional[int]:
    plain = initializer.strip("{} ").replace("'", "")
    if not re.fullmatch(r"\d+( *\* *\d+)*", plain):
        return None
    value = 1
    for factor in plain.split("*"):
        value *= int(factor)
    return value * 1000 if kind == "Seconds" else value


def disagree(stated: str, initializer: str, kind: str) -> bool:
    """Whether a default that is stated is another than the initializer, as far as both can be read."""
    stated = re.split(r",\s(?=as |so |and )|\s\(", stated)[0].strip()
    written = initializer.replace(" ", "") or "{}"
    if stated in IN_WORDS:
        return written != IN_WORDS[stated]
    if kind == "Rate" and written != "{}":
        rate = re.fullmatch(r"([\d,]+) at once, ([\d,]+) a second", stated)
        return not rate or written != "{%s,%s}" % tuple(part.replace(",", "") for part in rate.groups())
    number, value = number_stated(stated), number_written(initializer, kind)
    if number is not None or value is not None:
        return number != value
    if stated in ("true", "false"):
        return stated != written
    if stated.startswith('"'):
        return (stated if stated != '""' else "{}") not in (initializer.strip(), written)
    if written == "{}":
        return False                               # in words: none, no limit
    return stated != written.split("::")[-1]


FIELD = re.compile(r"(?P<type>[A-Za-z_][\w:]*(?:<.*>)?(?:::\w+)?)\s+(?P<rest>[A-Za-z_]\w*\s*(?:[={,;]|$).*)", re.S)


def fields_of(parser: Parser, struct: str) -> List[Declaration]:
    scope = "sio_demo::" + struct
    return [d for d in parser.declarations if d.scope == scope and d.in_type and d.kind in ("constant", "function")
            and FIELD.match(d.text) and not d.body]


def declarators(text: str) -> List[Tuple[str, str]]:
    """[(name, initializer)] of `type a = 1, b{2}`, less the type."""
    return re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)\s*(?:=\s*)?((?:\{(?:[^{}]|\{[^{}]*\})*\}|\"[^\"]*\"|[^,;{}\"])*)", text)


def options(project: Project) -> Iterator[Complaint]:
    source, parser = project.source(HEADER), project.parser(HEADER)
    for struct in OPTION_STRUCTS:
        fields = fields_of(parser, struct)
        if not fields and project.files is None:
            yield source.complaint(1, f"{struct} has no fields, or is not there: correct OPTION_STRUCTS")
        for found in fields:
            comment, _ = blocks_before(source, found.line)
            names = declarators(FIELD.match(found.text)["rest"].rstrip(";"))
            what = f"{struct}::{names[0][0]}"
            said = re.sub(r"\s*\n///?\s*", " ", comment)
            stated = re.search(r"Default: (.+?)(?:\.(?=\s|$)|;|$)", said)
            if not re.search(r"^///", comment, re.M):
                yield source.complaint(found.line, f"{what} has no `///` before it: say what it does, its unit, its limit's answer, its default")
            elif not stated:
                yield source.complaint(found.line, f"{what} does not state its default: end its comment with `Default: ...`")
            else:
                parts = stated[1].split(" and ") if len(names) > 1 else [stated[1]]
                for part, (name, initializer) in zip(parts, names if len(parts) == len(names) else []):
                    if disagree(part, initializer, FIELD.match(found.text)["type"]):
                        written = initializer.strip() or "{}"
                        yield source.complaint(found.line, f"{struct}::{name} states `Default: {part}` but is `{written}`: correct one")


def documented(source: Source, declaration: Declaration) -> bool:
    comment, _ = blocks_before(source, declaration.line)
    first = source.lines[declaration.line - 1]
    head = declaration.text.split("{")[0].split(";")[0].count("\n")
    last = source.lines[min(declaration.line - 1 + head, len(source.lines) - 1)]
    comment = "" if comment.split("\n")[-1].startswith("// ====") or comment.startswith("// clang-format") else comment
    return bool(comment) or "//" in first or "//" in last


PUBLIC_KINDS = ("class", "struct", "union", "enum", "function", "using", "concept")


def public_comments(project: Project) -> Iterator[Complaint]:
    source = project.source(HEADER)
    groups: Dict[Tuple[str, str], List[Declaration]] = {}
    for found in project.parser(HEADER).declarations:
        inner = found.scope.split("::")
        if found.in_type or "detail" in inner or found.kind not in PUBLIC_KINDS or not re.fullmatch(r"(?!SIO_DEMO_)[\w]+|operator.*", found.name):
            continue
        forward = found.kind in ("class", "struct") and not found.body
        special = found.text.startswith("template <>") or re.match(r"(using \w+::|template <[^>]*>\s*(struct|class) \w+<)", found.text)
        later = re.search(rf"{re.escape(found.name)}\(", found.text) and re.search(r"\w::" + re.escape(found.name) + r"\(", found.text)
        if not forward and not special and not later and project.chapter_of(found.line) in DOCUMENTED_CHAPTERS:
            groups.setdefault((found.scope, found.name), []).append(found)
    for (scope, name), found in groups.items():
        if not any(documented(source, declaration) for declaration in found):
            what = f"the {found[0].kind} {scope}::{name} has no comment before it"
            yield source.complaint(found[0].line, f"{what}: say its contract, units, thread, lifetime")


BANNED = {"regex": "it is slow and overflows the stack; read by hand", "iostream": "it brings static initialisers; use the log",
          "filesystem": "the header has no business with files", "ranges": "it costs every build half a second",
          "sstream": "append to a std::string", "future": "one thread runs everything", "asio.hpp": "include the parts of Asio in use"}


def banned_includes(project: Project) -> Iterator[Complaint]:
    source = project.source(HEADER)
    for n, line in enumerate(source.lines, 1):
        found = re.match(r"\s*#\s*include\s*[<\"]([^>\"]+)", line)
        if not found:
            continue
        name = found[1]
        if name in BANNED:
            yield source.complaint(n, f"<{name}> is not included here: {BANNED[name]}")
        elif re.fullmatch(r"(\w+|sys/\w+|net\w*/\w+|arpa/\w+)\.h", name):
            yield source.complaint(n, f"<{name}> is of one system, or of C: use the standard's or Asio's")


# Where the standard has what this header uses most.
HOMES = {
    "algorithm": "any_of all_of none_of find find_if sort min max copy_n copy search lower_bound upper_bound fill",
    "array": "array", "bit": "countr_zero endian bit_cast", "charconv": "from_chars to_chars", "cmath": "ceil floor isfinite",
    "chrono": "chrono", "condition_variable": "condition_variable", "cstdint": "uint8_t uint16_t uint32_t uint64_t int64_t",
    "cstdio": "fopen fread fwrite fclose snprintf fputs puts FILE", "cstring": "memchr memcpy memcmp strlen", "ctime": "time time_t tm",
    "deque": "deque", "exception": "exception exception_ptr current_exception rethrow_exception", "functional": "function equal_to hash",
    "initializer_list": "initializer_list", "limits": "numeric_limits", "list": "list", "map": "map multimap",
    "memory": "shared_ptr unique_ptr weak_ptr make_shared make_unique enable_shared_from_this", "mutex": "mutex lock_guard unique_lock",
    "optional": "optional nullopt", "random": "random_device uniform_int_distribution mt19937", "set": "set multiset", "span": "span",
    "stdexcept": "invalid_argument runtime_error logic_error out_of_range", "string": "string to_string", "string_view": "string_view",
    "type_traits": "is_same_v decay_t conditional_t remove_cvref_t invoke_result_t is_void_v is_invocable_v is_integral_v",
    "system_error": "error_code system_error errc error_category make_error_code", "thread": "thread this_thread", "atomic": "atomic",
    "tuple": "tuple apply get tie", "unordered_map": "unordered_map", "unordered_set": "unordered_set", "variant": "variant visit monostate",
    "utility": "exchange forward move pair swap index_sequence", "vector": "vector", "queue": "queue priority_queue", "numeric": "accumulate",
}


def includes(project: Project) -> Iterator[Complaint]:
    source = project.source(HEADER)
    used = {word for name in re.findall(r"\bstd::((?:\w+::)*\w+)", source.code) for word in name.split("::")}
    words = set(re.findall(r"\w+", source.code)) | set(re.findall(r"\b(\w+)", "\n".join(re.findall(r"^#.*", source.text.split("// 1  ")[-1], re.M))))
    included = set()
    for n, line in enumerate(source.lines, 1):
        found = re.match(r"#include <(\w+)>\s*(?://\s*(.*))?$", line)
        if not found:
            continue
        included.add(found[1])
        if not found[2]:
            yield source.complaint(n, f"<{found[1]}> does not say what it is for: name in a comment what is used of it")
            continue
        listed = re.sub(r", of .*| and friends", "", found[2])
        for name in listed.split(", "):
            last = name.split("::")[-1].split(" ")[-1]
            if not re.fullmatch(r"\w+(::\w+)*|operator new", name):
                yield source.complaint(n, f"<{found[1]}>: `{name}` is no name: list what is used, separated by commas")
            elif last not in (used if "::" not in name and last not in ("assert", "errno", "new") else words):
                yield source.complaint(n, f"<{found[1]}> is said to be for `{name}`, which is not used: take it off the comment, or the include off")
    for home, names in HOMES.items():
        lacking = sorted(used & set(names.split()))
        if lacking and home not in included:
            yield source.complaint(1, f"std::{lacking[0]} is used without <{home}>: include it")


def columns(project: Project) -> Iterator[Complaint]:
    for path in (HEADER, MAIN):
        source = project.source(path)
        for n, line in enumerate(source.lines, 1):
            if len(line) > COLUMNS and n not in source.raw_lines and "://" not in line:
                yield source.complaint(n, f"{len(line)} columns: break it at {COLUMNS}")


def all_functions(project: Project) -> List[Function]:
    found = []
    for path in (HEADER, MAIN):
        if project.exists(path):
            found += project.parser(path).functions
    return sorted(found, key=lambda function: -function.lines)


def percentile(numbers: List[int], part: float) -> int:
    return sorted(numbers)[min(len(numbers) - 1, int(len(numbers) * part))]


def functions(project: Project) -> Iterator[Complaint]:
    found = all_functions(project)
    if not found:
        return
    lengths = [function.lines for function in found]
    middle, most = statistics.median(lengths), percentile(lengths, 0.95)
    if project.files is None:
        print(f"        {len(found)} functions: median {middle:g} lines, p95 {most}, longest {lengths[0]}; "
              f"deepest {max(function.levels for function in found)} levels")
        for function in found[:5]:
            print(f"        {function.lines:4} lines, {function.levels} levels  {function.path}:{function.line}  {function.name}")
    if most > LONGEST_95:
        what = f"one function of twenty has more than {most - 1} lines, {LONGEST_95} is the limit: split the longest"
        yield Complaint(found[0].path, found[0].line, what)
    for function in found:
        lines, levels, _ = ALLOWED.get(function.name, (LONGEST, DEEPEST, ""))
        if function.lines > lines:
            yield Complaint(function.path, function.line, f"{function.name} has {function.lines} lines, {lines} is the limit: split it")
        if function.levels > levels:
            yield Complaint(function.path, function.deepest, f"{function.name} is nested {function.levels} deep, {levels} is the limit: "
                                                             "return early, or give the inside a name")
    for name in ALLOWED:
        if project.files is None and not any(f.name == name and (f.lines > LONGEST or f.levels > DEEPEST) for f in found):
            yield Complaint("tests/lint.py", 1, f"ALLOWED has {name}, which is within the limits now, or gone: take it out")


def banned_words(project: Project) -> Iterator[Complaint]:
    for path in project.cpp():
        source = project.source(path)
        for n, line in enumerate(source.lines, 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield source.complaint(n, "something is left to be done: do it, or say in words what is not done and why")
        for found in re.finditer(r"\b(?:\w*(?:Manager|Helper|Util)s?(?![a-z])\w*|(?:\w+_)?(?:manager|helper|utils?)(?:_\w+)?)\b", source.code):
            yield source.complaint(source.line_of(found.start()), f"{found[0]} says nothing: name it by what it is")


def using_namespace(project: Project) -> Iterator[Complaint]:
    """In a function it is nobody else's business; the suffixes of literals, and a test's own fixture, are what it is for."""
    for path in project.cpp():
        source = project.source(path)
        for found in re.finditer(r"^( *)using namespace ([\w:]+)", source.code, re.M):
            ours = path.startswith("tests/") and not re.match(r"(std|asio|nlohmann|sio_demo)\b", found[2])
            if not found[1] and not ours and not re.search(r"(_literals|::literals)$", found[2]):
                yield source.complaint(source.line_of(found.start(2)), f"using namespace {found[2]} at a file's level: name what is used")


def blanks(project: Project) -> Iterator[Complaint]:
    for path in [*project.cpp(), *project.paths(".py", ".js"), *(p for p in (README, ) if project.exists(p))]:
        for n, line in enumerate(project.read(path).split("\n"), 1):
            if "\t" in line:
                yield Complaint(path, n, "has a tab: write spaces")
            if re.search(r"[ \r]$", line):
                yield Complaint(path, n, "ends with a blank: take it off")


PUBLIC_MACROS = ("SIO_DEMO_HPP", "SIO_DEMO_VERSION", "SIO_DEMO_VERSION_MAJOR", "SIO_DEMO_VERSION_MINOR", "SIO_DEMO_VERSION_PATCH",
                 "SIO_DEMO_FIELDS", "SIO_DEMO_ENUM")


def macros(project: Project) -> Iterator[Complaint]:
    source = project.source(HEADER)
    joined = source.text.replace("\\\n", "  ")
    bodies = dict(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(.*)$", joined, re.M))
    kept, more = set(PUBLIC_MACROS), list(PUBLIC_MACROS)
    while more:                                    # what a public one is made of stays, too
        for name in re.findall(r"SIO_DEMO_\w+", bodies.get(more.pop(), "")):
            if name in bodies and name not in kept:
                kept.add(name)
                more.append(name)
    last = max((line for _, _, line, _ in project.chapters()), default=0)
    undefined = {name for n, line in enumerate(source.lines, 1) for name in re.findall(r"^\s*#\s*undef\s+(\w+)", line) if n > last > 0}
    for name in bodies:
        line = next(n for n, text in enumerate(source.lines, 1) if re.match(rf"\s*#\s*define\s+{name}\b", text))
        if not name.startswith("SIO_DEMO_"):
            yield source.complaint(line, f"the macro {name} could be its user's: begin it with SIO_DEMO_")
        elif name not in kept and name not in undefined:
            yield source.complaint(line, f"the macro {name} is neither public nor #undef'd in the last chapter: do so")


def reasons(project: Project) -> Iterator[Complaint]:
    source = project.source(HEADER)
    tests = "\n".join(project.read(path) for path in project.paths(".cpp", ".hpp", ".js", ".py") if path != "tests/lint.py")
    for n, line in enumerate(source.lines, 1):
        row = re.match(r'\s*\{Reason::(\w+), "(\w+)"', line)
        if row and not re.search(rf"\b{row[2]}\b", tests):
            yield source.complaint(n, f"the reason {row[2]} stands in no file of the tests: make something be refused for it")


def make_help(project: Project) -> Iterator[Complaint]:
    text = project.read(MAKEFILE)
    lines = text.split("\n")
    phony = [name for names in re.findall(r"^\.PHONY:(.*)$", text, re.M) for name in names.split()]
    told = {found[1]: n for n, line in enumerate(lines, 1) if (found := re.match(r"([a-z_-]+):.*## \S", line))}
    for name in phony:
        if name not in told:
            line = next((n for n, text in enumerate(lines, 1) if text.startswith(name + ":")), 1)
            yield Complaint(MAKEFILE, line, f"`make help` does not list {name}: end its line with `## what it does`")
    for name, line in told.items():
        if name not in phony and name != "sio_demo":
            yield Complaint(MAKEFILE, line, f"{name} makes no file of this name: add it to .PHONY")


def slug(title: str) -> str:
    """An anchor, as GitHub makes it of a heading."""
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def links(project: Project) -> Iterator[Complaint]:
    text = re.sub(r"^```.*?^```", lambda found: re.sub(r"[^\n]", "", found[0]), project.read(README), flags=re.M | re.S)
    anchors = {slug(title) for title in re.findall(r"^#+ (.*)$", text, re.M)} | set(re.findall(r'(?:id|name)="([^"]+)"', text))
    for n, line in enumerate(text.split("\n"), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            path, _, anchor = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            if path and not project.exists(path):
                yield Complaint(README, n, f"links to {path}, which is not there: correct it")
            elif not path and anchor not in anchors:
                yield Complaint(README, n, f"links to #{anchor}, and no heading is called so: correct it")


def clang_format() -> str:
    """The command of version 19, which .clang-format is written for: another one wants other blanks."""
    for name in ("clang-format-19", "clang-format"):
        if shutil.which(name) and " 19." in subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout:
            return name
    raise Skip("there is no clang-format 19 here; `make setup-test` installs it where the system has it")


def formatted(project: Project) -> Iterator[Complaint]:
    command = clang_format()
    if project.files is not None:
        jobs = [(path, subprocess.run([command, "--dry-run", "-Werror", f"--assume-filename={path}"], input=text, cwd=ROOT,
                                      capture_output=True, text=True, check=False)) for path, text in project.files.items()]
    else:
        paths = project.cpp()
        jobs = [("", subprocess.run([command, "--dry-run", "-Werror", *paths], cwd=ROOT, capture_output=True, text=True, check=False))]
    for _, done in jobs:
        found = re.findall(r"^(.+?):(\d+):\d+: error: ", done.stderr, re.M)
        for path, line in dict.fromkeys(found):
            yield Complaint(path, int(line), "is not formatted as .clang-format says: make format")
        if done.returncode and not found:
            yield Complaint(".clang-format", 1, f"{command} failed: {done.stderr.strip()[-300:]}")


class Rule(NamedTuple):
    name: str
    wants: str
    check: object
    samples: List[Tuple[Dict[str, str], str]]      # files that break it, and a part of the complaint


def header(text: str) -> Dict[str, str]:
    return {HEADER: text}


def options_with(text: str) -> Dict[str, str]:
    return header("namespace sio_demo {\nstruct Options {\n" + text + "\n};\n}\n")


CHAPTER = "// ====================\n// %d  %s\n//\n%s// ====================\n"
LONG = "int count() {\n" + "  step();\n" * LONGEST + "  return 1;\n}\n"
DEEP = "void dig() {\n  for (;;)\n    if (a) {\n      while (b)\n        call([&] {\n          if (c) d();\n        });\n    }\n}\n"

RULES = [
    Rule("contents", "the contents of the first page are the chapters", contents, [
        (header("//    1  Options       knobs\n//    2  Bytes        text\n" + CHAPTER % (1, "Options", "") + CHAPTER % (2, "Text", "")),
         "contents say (2, 'Bytes')"),
        (header("//    1  Options       knobs\n" + CHAPTER % (1, "Options", "") + CHAPTER % (2, "Text", "")), "say nothing where the chapter is (2"),
        (header("//    2  Text      knobs\n" + CHAPTER % (2, "Text", "")), "number them in order"),
        (header("int a;\n"), "no contents")]),
    Rule("openings", f"each chapter opens with {LEAST_PROSE} lines of prose", openings, [
        (header(CHAPTER % (1, "Options", "// one\n//\n// two\n")), "opens with 2 lines")]),
    Rule("options", "each option has a comment with its default, which is true", options, [
        (options_with("  int port = 1;"), "Options::port has no `///`"),
        (options_with("  // no third slash\n  int port = 1;"), "has no `///`"),
        (options_with("  /// The port.\n  int port = 1;"), "does not state its default"),
        (options_with("  /// Default: 3,001.\n  int port = 3000;"), "states `Default: 3,001`"),
        (options_with("  /// Default: 20 s.\n  Milliseconds wait{2'000};"), "states `Default: 20 s`"),
        (options_with("  /// Default: 20 s.\n  Seconds wait{2};"), "states `Default: 20 s`"),
        (options_with("  /// Default: 1 MiB.\n  std::size_t most = 16 * 1024;"), "states `Default: 1 MiB`"),
        (options_with("  /// Default: true.\n  bool on = false;"), "states `Default: true`"),
        (options_with('  /// Default: "a".\n  std::string name = "b";'), "states `Default: \"a\"`"),
        (options_with("  /// Default: 5 at once, 2 a second.\n  Rate rate{5, 1};"), "states `Default: 5 at once, 2 a second`"),
        (options_with("  /// Default: warn.\n  LogLevel level = LogLevel::info;"), "states `Default: warn`"),
        (options_with("  /// Default: none.\n  std::vector<int> list{1, 2};"), "states `Default: none`"),
        (options_with("  /// Both. Default: 1 and 2.\n  int least = 1, most = 3;"), "Options::most states"),
        (options_with("  /// Asks. Default: none.\n  std::function<void(int)> ask{};\n\n  std::function<int()> tell{};"), "Options::tell has no")]),
    Rule("public comments", "each public name has a comment before it", public_comments, [
        (header(CHAPTER % (1, "Options", "") + "\n" + declaration), name) for declaration, name in (
            ("struct Rate {\n  int burst;\n};\n", "struct ::Rate"), ("class Rate final : public Other {\n};\n", "class ::Rate"),
            ("template <class T>\nvoid call(T t) {\n  t();\n}\n", "function ::call"), ("inline int three();\n", "function ::three"),
            ("using Time = int;\n", "using ::Time"), ("enum class Level : int { low, high };\n", "enum ::Level"),
            ("/// Said.\nusing A = int;\n\nusing B = int;\n", "using ::B"), ("namespace http {\nstruct Request {};\n}\n", "struct http::Request"))]),
    Rule("banned includes", "no include that is dear, or of one system", banned_includes, [
        (header(f"#include <{name}>\n"), f"<{name}>") for name in (*BANNED, "unistd.h", "sys/socket.h", "netinet/in.h")]),
    Rule("includes", "each include of the standard says what is used of it, and that is used", includes, [
        (header("#include <map>\nstd::map<int, int> a;\n"), "does not say what it is for"),
        (header("#include <map>  // map, multimap\nstd::map<int, int> a;\n"), "`multimap`, which is not used"),
        (header("#include <map>  // some maps\nstd::map<int, int> a;\n"), "`some maps` is no name"),
        (header('#include <map>  // map\nauto a = "std::map";  // std::map\n'), "`map`, which is not used"),
        (header("std::deque<int> a;\n"), "std::deque is used without <deque>")]),
    Rule("columns", f"no line of more than {COLUMNS} columns, but URLs and raw strings", columns, [
        (header("// " + "word " * 25 + "\n"), "columns"), ({HEADER: "", MAIN: "int " + "a" * 120 + ";\n"}, "columns")]),
    Rule("functions", f"functions of {LONGEST} lines ({LONGEST_95} of 95 in 100) and {DEEPEST} levels at most", functions, [
        (header(LONG), "count has 78 lines"),
        (header("class A {\n  A() : b_{1}, c_(2) {\n" + "  step();\n" * LONGEST + "  }\n};\n"), "A has 77 lines"),
        (header("void a() {\n  b(R\"(}}}\n)\");  // }\n" + "  step('}');\n" * LONGEST + "}\n"), "a has 79 lines"),
        (header("auto table = list({{1, [](int a) -> int {\n" + "  step();\n" * LONGEST + "}}});\n"), "a lambda has 77 lines"),
        (header(DEEP), "dig is nested 5 deep"),
        (header(DEEP.replace("for (;;)", "if (z) y();\n  else for (;;)")), "dig is nested 6 deep"),
        (header("\n".join(f"int f{n}() {{\n" + "  step();\n" * LONGEST_95 + "}\n" for n in range(9))), "one function of twenty")]),
    Rule("words", "nothing left to be done, no name that says nothing", banned_words, [
        ({"tests/a.cpp": "// TODO: the rest\n"}, "tests/a.cpp:1"),
        (header("int a;  // FIXME\n"), "left to be done"), (header("// XXX\n"), "left to be done"),
        (header("class SocketManager;\n"), "SocketManager says nothing"), (header("int string_utils();\n"), "string_utils says nothing"),
        (header("struct Helper;\n"), "Helper says nothing")]),
    Rule("using namespace", "no `using namespace` at a file's level", using_namespace, [
        (header("using namespace std;\n"), "using namespace std"), ({"tests/a.cpp": "using namespace sio_demo;\n"}, "tests/a.cpp:1")]),
    Rule("blanks", "no tab, no blank at a line's end", blanks, [
        (header("int a;\tint b;\n"), "has a tab"), ({"tests/a.js": "let a; \n"}, "ends with a blank"), (header("int a;\r\n"), "ends with a blank")]),
    Rule("macros", "macros are called SIO_DEMO_..., and those that are not public are undefined at the end", macros, [
        (header("#define MIN 1\n"), "MIN could be its user's"), (header("#define SIO_DEMO_INNER 1\n"), "SIO_DEMO_INNER is neither"),
        (header("#define SIO_DEMO_INNER 1\n#undef SIO_DEMO_INNER\n" + CHAPTER % (15, "End", "")), "SIO_DEMO_INNER is neither")]),
    Rule("reasons", "each reason is met by a test", reasons, [
        ({HEADER: '    {Reason::draining, "draining", "x", 503, 3, 0},\n', "tests/a.js": "'drain'"}, "the reason draining")]),
    Rule("make help", "make help lists each phony target", make_help, [
        ({MAKEFILE: ".PHONY: run test\nrun:  ## start it\ntest: all\n"}, "does not list test"),
        ({MAKEFILE: ".PHONY: run\nrun:  ## start it\ntest: all  ## try it\n"}, "add it to .PHONY")]),
    Rule("links", "what README links to is there", links, [
        ({README: "# One\nsee [it](#two)\n"}, "links to #two"), ({README: "see [it](tests/none.py)\n"}, "tests/none.py, which is not there")]),
    Rule("format", "all C++ but the workshop's is formatted by clang-format 19", formatted, [
        (header("int  a ;\n"), "make format"), ({"tests/a.cpp": "int main(){}\n"}, "tests/a.cpp:1")]),
]


# ---- All of it ----------------------------------------------------------------------------------------------------------


def complaints(rule: Rule, project: Project) -> List[str]:
    try:
        return [f"{path}:{line}: {rule.name}: {what}" for path, line, what in rule.check(project)]
    except ValueError as error:                    # braces that do not match
        return [f"{rule.name}: {error}"]


def selftest(rules: List[Rule]) -> Tuple[int, int]:
    passed = failed = 0
    for rule in rules:
        for files, wanted in rule.samples:
            said = complaints(rule, Project(files))
            if any(wanted in line for line in said):
                passed += 1
            else:
                failed += 1
                print(f"not ok  {rule.name}: of {files} it should say `{wanted}`, and says {said or 'nothing'}")
    print(f"ok      {passed} samples are found" if not failed else f"        {passed} samples are found, {failed} are not")
    return passed, failed


def write_format() -> int:
    paths = Project().cpp()
    done = subprocess.run([clang_format(), "-i", *paths], cwd=ROOT, check=False)
    print(f"{len(paths)} files are formatted" if done.returncode == 0 else "clang-format failed")
    return done.returncode


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    rules = [rule for rule in RULES if all(word in rule.name for word in words)]
    passed = failed = skipped = 0
    try:
        if "--format" in sys.argv:
            return write_format()
    except Skip as why:
        print(f"lint.py: nothing is formatted: {why}")
        return 1
    project = Project()
    for rule in rules:
        try:
            said = complaints(rule, project)
        except Skip as why:
            skipped += 1
            print(f"skipped {rule.name}: {why}")
            continue
        passed, failed = passed + (not said), failed + bool(said)
        print(f"{'not ok' if said else 'ok':6}  {rule.name}: {rule.wants}" + (f" ({len(said)} complaints)" if said else ""), flush=True)
        for line in said:
            print(line)
    if "--selftest" in sys.argv:
        usable = [rule for rule in rules if rule.check is not formatted or not skipped]
        found, missed = selftest(usable)
        passed, failed = passed + found, failed + missed
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not rules else 0


if __name__ == "__main__":
    sys.exit(main())
