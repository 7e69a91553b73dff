#!/usr/bin/env python3
"""Does the workshop as a reader does: types what the pages print, and sees what they say one sees.

    tests/workshop/run.py [--show] [STEP...]       (only these steps: 4 6; --show prints what was seen, too)

ONLY chooses pages and programs by name.

The pages are README.md and N-NAME.md, beside the programs N-NAME.cpp and N-solution.cpp. All their blocks count, in
their order; a mark is an HTML comment on the line before a block:

    ```sh  <!-- server -->              typed into the first terminal, where it stays until the next such block
    ```sh                               typed into the second terminal; must end with exit code 0, and print exactly
                                        the block without a language that follows, or, if there is none, nothing
    ```sh  <!-- Ctrl-C at TEXT -->      as soon as it has printed TEXT, the server is interrupted
    ```    <!-- server output -->       what the server has printed, all of it, and it has ended with exit code 0
    ```cpp                              lines of one of the page's programs
    ```text                             is not looked at

In the blocks, `...` stands for anything within a line, and the port 3000 is replaced by one that is free. The
folder looks like the project's, but its build/ is a new one. Besides, each program is at most 60 lines, compiles
as a file of its own with all warnings as errors, and is started by its page. Closes with
`N passed, N failed`.
"""

import concurrent.futures
import functools
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import List, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from blocks import Block, Desk, free_port, look_alike, prints_exactly, read_blocks  # noqa: E402
from common import CPPFLAGS, CXX, JOBS, ROOT, STRICT, Results, chosen, precompiled  # noqa: E402

SHOW = "--show" in sys.argv[1:]


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def step_of(path: str) -> str:
    return os.path.basename(path).split("-")[0]


# ---- The programs ----------------------------------------------------------------------------------------


def accepts(compiler: str, program: str) -> str:
    command = [compiler, "-std=c++20", "-pthread", *precompiled(compiler), "-I.", *CPPFLAGS, *STRICT, "-fsyntax-only", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    return "" if result.returncode == 0 else result.stdout + result.stderr


def check_programs(programs: List[str], results: Results):
    for program in programs:
        text = read(program)
        lines = len(text.splitlines())
        results.add(f"{os.path.basename(program)} has at most 60 lines", f"it has {lines}" if lines > 60 else "")
        results.add(f"{os.path.basename(program)} has the port 3000 unless it is given one", "" if "std::stoi(arguments[1]) : 3000;" in text else "it does not say so")
    results.add_all((f"{os.path.basename(program)} compiles alone", functools.partial(accepts, CXX[0], program)) for program in programs)


# ---- The pages -------------------------------------------------------------------------------------------


def with_outputs(blocks: List[Block]) -> List[Block]:
    """A block without a language belongs to the commands before it."""
    out: List[Block] = []
    for block in blocks:
        if not block.language and not block.marks and out and out[-1].language == "sh":
            out[-1].output = block
        else:
            out.append(block)
    return out


def compared(output: str, block: Block, desk: Desk) -> str:
    wanted = desk.ported(block.text if block else "")
    return "" if prints_exactly(output, wanted) else f"should print:\n{wanted}but printed:\n{output}"


def type_block(block: Block, desk: Desk) -> str:
    trigger = block.mark(r"Ctrl-C at (.+)")
    pressed = False

    def press(output: str):
        nonlocal pressed
        if trigger and not pressed and trigger[1] in output:
            pressed = True
            desk.server.signal(signal.SIGINT)

    output, wrong = desk.type(block.text, 300 if "g++" in block.text else 30, press)
    if SHOW:
        print(output)
    if wrong:
        return f"{wrong}\n{output}"
    if trigger and not pressed:
        return f"did not print {trigger[1]}\n{output}"
    return compared(output, block.output, desk)


def check_server_output(block: Block, desk: Desk) -> str:
    server = desk.server
    if not server or not server.wait_for(server.ended, 10):
        return "the server did not end within 10 seconds"
    server.reader.join(1)
    if server.process.returncode != 0:
        return f"exit code {server.process.returncode}\n{server.output}"
    return compared(server.output, block, desk)


def is_excerpt(block: Block, programs: List[str]) -> str:
    def lines(text):
        return "\n".join(row.strip() for row in text.strip().splitlines())
    return "" if any(lines(block.text) in lines(read(program)) for program in programs) else "none of the page's programs has these lines"


def check_page(page: str, programs: List[str], desk: Desk) -> List[Tuple[str, str]]:
    """(what was checked, what is wrong) for each block of a page."""
    name, started, checks = os.path.basename(page), "", []
    for block in with_outputs(read_blocks(read(page))):
        what = f"{name}, {block}"
        if block.language == "cpp":
            checks.append((what, is_excerpt(block, programs)))
        elif block.mark("server output"):
            checks.append((what, check_server_output(block, desk)))
        elif block.language == "sh" and block.mark("server"):
            started += block.text
            wrong = desk.serve(block.text, 3000, 300)
            checks.append((what, wrong))
            if wrong:
                return checks                       # what follows would only fail, too
        elif block.language == "sh":
            checks.append((what, type_block(block, desk)))
        elif block.language != "text":
            checks.append((what, f"neither a command nor its output: what is this `{block.language}` block?"))
    desk.end_server()
    for program in programs:
        binary = "build/" + os.path.basename(program)[:-len(".cpp")]
        checks.append((f"{name} starts {binary}", "" if re.search(rf"(?m)^\s*{binary}\b", started) else "no server block does"))
    return checks


def main() -> int:
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    programs = [path for path in sorted(glob.glob(os.path.join(HERE, "*.cpp"))) if not wanted or step_of(path) in wanted]
    pages = [path for path in sorted(glob.glob(os.path.join(HERE, "*-*.md"))) if not wanted or step_of(path) in wanted]
    results = Results()
    if not wanted:
        steps = [sum(step_of(path) == str(n) for path in programs) for n in range(1, 9)]
        results.add("eight steps, each with a page, a program and its solution", "" if steps == [2] * 8 and len(pages) == 8 else f"programs of the steps: {steps}, pages: {len(pages)}")
    pages = [page for page in pages if chosen(os.path.basename(page))]
    # Some pages use a program of the page before, so each half of them is one reader's.
    halves = [half for half in (pages[:len(pages) // 2], pages[len(pages) // 2:]) if half]
    with tempfile.TemporaryDirectory() as base, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        common = os.path.join(base, "common")
        for what, wrong in read_pages(common, "", [], [os.path.join(HERE, "README.md")]):
            results.add(what, wrong)
        folders = [os.path.join(base, step_of(half[0])) for half in halves] if not results.failed else []
        for checks in pool.map(lambda folder, half: read_pages(folder, common, programs, half), folders, halves):
            for what, wrong in checks:
                results.add(what, wrong)
    check_programs(programs, results)
    return results.close()


def read_pages(folder: str, common: str, programs: List[str], pages: List[str]) -> List[Tuple[str, str]]:
    """Goes through pages in a folder that looks like the project's; build/ has what README.md has built in `common`."""
    os.mkdir(folder)
    look_alike(folder, without=("build",))
    desk = Desk(folder, {3000: free_port()})
    if common:
        shutil.copytree(os.path.join(common, "build"), os.path.join(folder, "build"))
        desk.exports = "".join(re.findall(r"^export .*\n", read(os.path.join(HERE, "README.md")), re.M))
    # The pages' compilers find it beside the header, and take a third of the time.
    declared = os.path.join(ROOT, "build/pch/g++/sio_demo.hpp.gch")
    if os.path.exists(declared):
        os.symlink(declared, os.path.join(folder, "sio_demo.hpp.gch"))
    try:
        return [check for page in pages
                for check in check_page(page, [path for path in programs if step_of(path) == step_of(page)], desk)]
    finally:
        desk.clear()


if __name__ == "__main__":
    sys.exit(main())
