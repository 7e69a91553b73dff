#!/usr/bin/env python3
"""Compiles and runs what README.md shows, so that it stays true.

    tests/readme.py [--list]

The first block must be a complete C++ program and begin by line 25. For the rest, a mark (an HTML comment on
the line before a block; readers do not see it) says what to do with the block:

    ```cpp  with `int main`     is compiled as it stands; no mark needed
    ```cpp  without             is compiled in the place of the line `...` of the last frame, no mark needed. A frame:

                                    <!-- frame
                                    #include "sio_demo.hpp"
                                    int main() {
                                      sio_demo::Server io;
                                    ...
                                    }
                                    -->

                                Before the first frame, a block just follows #include "sio_demo.hpp".
    <!-- file server.cpp -->    the block is also written to this file, for the commands that follow to use
    <!-- run -->                ```sh: executed by bash; ```js: executed by node with the packages of tests/e2e.
                                All of them in order, in a folder that looks like the project's, while a demo runs;
                                the port 4001 in them is replaced by the one it got. Must end with exit code 0
                                within 60 seconds (`<!-- run 90 s -->`: within 90), or, when an output block
                                follows, must print it and is then stopped.
    <!-- run until TEXT -->     for a command that does not end: executed (the port is not replaced) until it prints
                                TEXT, then interrupted like by Ctrl-C; must end within 10 seconds
    <!-- output -->             lines that the block before must print, in this order; `...` stands for anything
    <!-- not run: REASON -->    neither compiled nor executed; a program or command without any mark fails

Closes with `N passed, N failed`.
"""

import concurrent.futures
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STRICT = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Werror".split()
DEMO = os.environ.get("SIO_DEMO_BINARY", os.path.join(ROOT, "sio_demo"))
PROGRAMS = ("cpp", "c++", "sh", "bash", "js", "javascript", "ts", "typescript", "html", "python")


@dataclass
class Block:
    line: int                                       # of its first line of text
    language: str
    text: str
    marks: List[str]
    frame: str
    output: Optional["Block"] = None                # the output block that belongs to it

    def mark(self, pattern):
        return next((match for match in (re.fullmatch(pattern, mark, re.S) for mark in self.marks) if match), None)

    @property
    def excused(self):
        return self.mark(r"not run: .+") is not None

    def __str__(self):
        return f"line {self.line}: {self.language or 'text'} block: {self.text.strip().splitlines()[0] if self.text.strip() else ''}"


def read_blocks(text: str) -> List[Block]:
    """All fenced blocks with the marks before them and the frame in force."""
    blocks, marks, frame = [], [], '#include "sio_demo.hpp"\n...\n'
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        if line.startswith("<!--"):
            end = next((n for n in range(at, len(lines)) if "-->" in lines[n]), len(lines) - 1)
            comment = "\n".join(lines[at:end + 1]).strip().removeprefix("<!--").removesuffix("-->")
            if comment.split("\n")[0].strip() == "frame":
                frame = comment.split("\n", 1)[1] + "\n"
            else:
                marks.append(comment.strip())
            at = end
        elif line.startswith("```"):
            indent = len(lines[at]) - len(lines[at].lstrip())
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == "```"), len(lines))
            body = "".join(row[min(indent, len(row) - len(row.lstrip())):] + "\n" for row in lines[at + 1:end])
            block = Block(at + 1, line[3:].strip().split(" ")[0].lower(), body, marks, frame)
            if block.mark("output") and blocks:
                blocks[-1].output = block
            else:
                blocks.append(block)
            marks, at = [], end
        elif line:
            marks = []
        at += 1
    return blocks


# ---- C++ -------------------------------------------------------------------------------------------------


def compile_block(block: Block) -> str:
    source = block.text
    if "int main" not in source:
        before, here, after = block.frame.partition("\n...\n")
        if not here:
            return "the frame has no line `...`"
        source = f'{before}\n#line {block.line + 1} "README.md"\n{block.text}{after}'
    else:
        source = f'#line {block.line + 1} "README.md"\n{source}'
    command = [*shlex.split(os.environ.get("CXX") or "g++"), "-std=c++20", "-pthread", "-I.", *STRICT,
               *shlex.split(os.environ.get("CPPFLAGS", "").replace("-I", "-isystem ")), "-fsyntax-only", "-x", "c++", "-"]
    result = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, errors="replace")
    return "" if result.returncode == 0 else result.stdout + result.stderr


# ---- Commands and scripts ----------------------------------------------------------------------------------


class Running:
    """A process group whose output is collected."""

    def __init__(self, command: List[str], folder: str):
        env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        self.output = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, condition, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.05)
        return condition()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: int):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def finish(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join(5)


def prints(output: str, wanted: str) -> bool:
    """Whether the wanted lines are in the output, in order; `...` stands for anything."""
    rows = iter(row.rstrip() for row in output.splitlines())
    patterns = [".*".join(re.escape(part) for part in row.rstrip().split("..."))
                for row in wanted.splitlines() if row.strip() not in ("", "...")]
    return all(any(re.fullmatch(pattern, row) for row in rows) for pattern in patterns)


def run_block(block: Block, folder: str, port: int) -> str:
    until = block.mark(r"run until (.+)")
    limit = block.mark(r"run (\d+) s")
    seconds = float(limit[1]) if limit else 600.0 if until else 60.0  # what runs until may build first

    def ported(text):
        return text if until else re.sub(r"\b4001\b", str(port), text)

    text, wanted = ported(block.text), ported(block.output.text) if block.output else None
    if block.language in ("js", "javascript"):
        modern = re.search(r"^\s*import\b|^(?:\w.*)?\bawait\b", text, re.M)
        name = os.path.join(folder, f"line-{block.line}.{'mjs' if modern else 'cjs'}")
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        command = ["node", name]
    else:
        command = ["bash", "-e", "-o", "pipefail", "-c", text]

    running = Running(command, folder)
    try:
        if until:
            if not running.wait_for(lambda: until[1] in running.output or running.ended(), seconds) or until[1] not in running.output:
                return f"did not print: {until[1]}\n{running.output}"
            running.signal(signal.SIGINT)
            if not running.wait_for(running.ended, 10):
                return f"did not end within 10 seconds of an interrupt\n{running.output}"
        else:
            running.wait_for(lambda: running.ended() or (wanted and prints(running.output, wanted)), seconds)
            running.wait_for(running.ended, 1)      # it may end by itself, and then with what code?
            if not running.ended() and not wanted:
                return f"did not end within {seconds:g} seconds and no output block says what to wait for\n{running.output}"
            if running.ended() and running.process.returncode != 0:
                return f"exit code {running.process.returncode}\n{running.output}"
        running.reader.join(1)
        if wanted and not prints(running.output, wanted):
            return f"should print:\n{wanted}but printed:\n{running.output}"
        return ""
    finally:
        running.finish()


def look_alike(folder: str):
    """The project's files in a folder that commands may write to."""
    for name in os.listdir(ROOT):
        if name != ".git":
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    if not os.path.exists(os.path.join(folder, "sio_demo")):
        os.symlink(DEMO, os.path.join(folder, "sio_demo"))
    os.symlink(os.path.join(ROOT, "tests/e2e/node_modules"), os.path.join(folder, "node_modules"))


def start_demo(folder: str):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    demo = Running([DEMO, "--port", str(port)], folder)

    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    demo.wait_for(lambda: answers() or demo.ended(), 10)
    return demo, port


# ---- All of it -----------------------------------------------------------------------------------------------


@dataclass
class Results:
    passed: int = 0
    failed: int = 0

    def add(self, name: str, wrong: str):
        print(("not ok  " if wrong else "ok      ") + name, flush=True)
        self.failed += bool(wrong)
        self.passed += not wrong
        for line in wrong.splitlines()[:40]:
            print("        " + line)


def main() -> int:
    try:
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            blocks = read_blocks(file.read())
    except FileNotFoundError:
        print("not ok  there is no README.md\n0 passed, 1 failed")
        return 1
    if "--list" in sys.argv:
        for block in blocks:
            print(f"{block}   {block.marks or ''}{'  (with output)' if block.output else ''}")
        return 0

    results = Results()
    first = blocks[0] if blocks else None
    complete = first is not None and first.language in ("cpp", "c++") and "int main" in first.text
    results.add("the first block is a complete server and begins by line 25",
                "" if complete and first.line <= 25 else f"it is {first or 'missing'}")

    cpp = [block for block in blocks if block.language in ("cpp", "c++") and not block.excused]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for block, wrong in zip(cpp, pool.map(compile_block, cpp)):
            results.add(f"{block} (compiled)", wrong)

    with tempfile.TemporaryDirectory() as folder:
        look_alike(folder)
        demo, port = start_demo(folder)
        results.add("the demo starts", demo.output or "no output" if demo.ended() else "")
        try:
            for block in blocks:
                if place := block.mark(r"file ([\w.-]+)"):
                    path = os.path.join(folder, place[1])
                    if os.path.lexists(path):
                        os.remove(path)             # a link to the project's own must not be written through
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(block.text)
                if block.mark(r"run( \d+ s| until .+)?"):
                    results.add(f"{block} (run)", run_block(block, folder, port))
                elif block.language in PROGRAMS and block not in cpp and not block.excused and not place:
                    results.add(str(block), "neither `<!-- run -->` nor `<!-- not run: REASON -->` stands before it")
            running = not demo.ended()
            demo.process.terminate()
            demo.wait_for(demo.ended, 10)
            results.add("the demo survived all of it and ends with exit code 0",
                        "" if running and demo.process.poll() == 0 else f"exit code {demo.process.poll()}\n{demo.output[-2000:]}")
        finally:
            demo.finish()

    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
