#!/usr/bin/env python3
"""Compiles and runs what README.md shows, so that it stays true.

    tests/readme.py [--list | --first | --rest]

--first takes the blocks before the heading that FIRST names (make test), --rest the others. ONLY chooses blocks to
compile; those that are run follow from each other, and run all.

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
    <!-- run -->                ```sh: typed into one bash, which keeps its variables; ```js: executed by node with
                                the packages of tests/e2e. All of them in order, in a folder that looks like the
                                project's, while a demo runs; the port 4001 in them is replaced by the one it got.
                                Must end with exit code 0 within 60 seconds (`<!-- run 90 s -->`: within 90); a
                                ```js that does not must print its output block, and is then stopped.
    <!-- server -->             ```sh: a server, which stays until the next one; the port 3000 of all blocks is its
    <!-- run until TEXT -->     for a command that does not end: executed (the port is not replaced) until it prints
                                TEXT, then interrupted like by Ctrl-C; must end within 10 seconds
    <!-- output -->             lines that the block before must print, in this order; `...` stands for anything
    <!-- output, all of it -->  the same, and it must print nothing else
    <!-- not run: REASON -->    neither compiled nor executed; a program or command without any mark fails

Links to a heading of the page, or to a file of the project, must lead there. Closes with `N passed, N failed`.
"""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import Dict, List

from blocks import Block, Desk, Running, free_port, listens, look_alike, prints, prints_what, read_blocks
from common import CPPFLAGS, CXX, JOBS, ROOT, STRICT, Results, chosen, precompiled

DEMO = os.environ.get("SIO_DEMO_BINARY", os.path.join(ROOT, "sio_demo"))
FIRST = "### Tested with"                          # a newcomer has a server and clients before this heading
DEFINED = "sio::demo::"                            # what only the implementation declares, not the precompiled header
PROGRAMS = ("cpp", "c++", "sh", "bash", "js", "javascript", "ts", "typescript", "html", "python")


# ---- Links -----------------------------------------------------------------------------------------------


def dead_links(text: str) -> str:
    """The links, and pictures, that lead nowhere; those to other sites are not followed."""
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def is_dead(link: str) -> bool:
        if link.startswith("#"):
            return link[1:] not in anchors
        return not re.match("https?://", link) and not os.path.exists(os.path.join(ROOT, link.partition("#")[0]))

    dead = sorted({link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if is_dead(link)})
    return f"these lead nowhere: {', '.join(dead)}" if dead else ""


# ---- C++ -------------------------------------------------------------------------------------------------


def compiles(source: str) -> str:
    """The compiler's words where it refuses a program, or ''."""
    declared = [] if DEFINED in source else precompiled(CXX[0])
    command = [*CXX, "-std=c++20", "-pthread", *declared, "-I.", *STRICT, *CPPFLAGS, "-fsyntax-only", "-x", "c++", "-"]
    result = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, errors="replace")
    return "" if result.returncode == 0 else result.stdout + result.stderr


def program_of(blocks: List[Block]) -> str:
    """Blocks that share a frame, each a scope within it; or one block alone."""
    def body(block: Block) -> str:
        return f'#line {block.line + 1} "README.md"\n{block.text}'

    if "int main" in blocks[0].text:
        return body(blocks[0])
    before, here, after = blocks[0].frame.partition("\n...\n")
    if not here:
        return "#error the frame has no line `...`\n"
    return f"{before}\n" + "\n".join(body(block) if len(blocks) == 1 else f"{{\n{body(block)}}}" for block in blocks) + after


def compile_blocks(blocks: List[Block]) -> List[str]:
    """What is wrong with each of the blocks of one frame. They are compiled together, and alone if that fails."""
    if len(blocks) > 1 and not compiles(program_of(blocks)):
        return ["" for _ in blocks]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(lambda block: compiles(program_of([block])), blocks))


def by_frame(blocks: List[Block]) -> List[List[Block]]:
    """The blocks in groups, each of which is one program."""
    groups: Dict[str, List[Block]] = {}
    for block in blocks:
        in_main = "int main" not in block.text and "int main" in block.frame and DEFINED not in block.text
        groups.setdefault(block.frame if in_main else str(block), []).append(block)
    return list(groups.values())


# ---- Commands and scripts ----------------------------------------------------------------------------------


def run_until(block: Block, folder: str, text: str) -> str:
    running = Running(["bash", "-e", "-o", "pipefail", "-c", block.text], folder)
    try:
        if not running.wait_for(lambda: text in running.output or running.ended(), 600) or text not in running.output:
            return f"did not print: {text}\n{running.output}"  # it had time to build first
        running.signal(signal.SIGINT)
        return "" if running.wait_for(running.ended, 10) else f"did not end within 10 seconds of an interrupt\n{running.output}"
    finally:
        running.finish()


def run_script(block: Block, folder: str, text: str, seconds: float, wanted: str) -> str:
    modern = re.search(r"^\s*import\b|^(?:\w.*)?\bawait\b", text, re.M)
    name = os.path.join(folder, f"line-{block.line}.{'mjs' if modern else 'cjs'}")
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    running = Running(["node", name], folder)
    try:
        running.wait_for(lambda: running.ended() or (wanted and prints(running.output, wanted)), seconds)
        running.wait_for(running.ended, 1)          # it may end by itself, and then with what code?
        if not running.ended() and not wanted:
            return f"did not end within {seconds:g} seconds and no output block says what to wait for\n{running.output}"
        if running.ended() and running.process.returncode != 0:
            return f"exit code {running.process.returncode}\n{running.output}"
        running.reader.join(1)
        return "" if prints(running.output, wanted) else f"should print:\n{wanted}but printed:\n{running.output}"
    finally:
        running.finish()


def run_block(block: Block, desk: Desk) -> str:
    if until := block.mark(r"run until (.+)"):
        return run_until(block, desk.folder, until[1])
    limit = block.mark(r"run (\d+) s")
    seconds = float(limit[1]) if limit else 60.0
    wanted = desk.ported(block.output.text if block.output else "")
    if block.language in ("js", "javascript"):
        return run_script(block, desk.folder, desk.ported(block.text), seconds, wanted)
    output, wrong = desk.type(block.text, seconds)
    if not wrong and not prints_what(output, block.output, wanted):
        wrong = f"should print:\n{wanted}but printed:"
    return f"{wrong}\n{output}" if wrong else ""


def start_demo(folder: str):
    port = free_port()
    demo = Running([DEMO, "--port", str(port)], folder)
    demo.wait_for(lambda: listens(port) or demo.ended(), 10)
    return demo, port


# ---- All of it -----------------------------------------------------------------------------------------------


def main() -> int:
    try:
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            page = file.read()
        blocks = read_blocks(page)
    except FileNotFoundError:
        print("not ok  there is no README.md\n0 passed, 1 failed")
        return 1
    if "--list" in sys.argv:
        for block in blocks:
            print(f"{block}   {block.marks or ''}{'  (with output)' if block.output else ''}")
        return 0

    end = page[:page.index(FIRST)].count("\n")
    results = Results()
    if "--rest" not in sys.argv:
        first = blocks[0]
        complete = first.language in ("cpp", "c++") and "int main" in first.text
        results.add("the first block is a complete server and begins by line 25", "" if complete and first.line <= 25 else f"it is {first}")
        results.add("links within the page and to files lead somewhere", dead_links(page))
    if "--first" in sys.argv:
        blocks = [block for block in blocks if block.line < end]
    if "--rest" in sys.argv:
        blocks = [block for block in blocks if block.line > end]

    cpp = [block for block in blocks if block.language in ("cpp", "c++") and not block.excused]
    groups = by_frame([block for block in cpp if chosen(str(block))])
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for group, wrong in zip(groups, pool.map(compile_blocks, groups)):
            for block, words in zip(group, wrong):
                results.add(f"{block} (compiled)", words)

    with tempfile.TemporaryDirectory() as folder:
        look_alike(folder)
        if not os.path.exists(os.path.join(folder, "sio_demo")):
            os.symlink(DEMO, os.path.join(folder, "sio_demo"))
        os.symlink(os.path.join(ROOT, "tests/e2e/node_modules"), os.path.join(folder, "node_modules"))
        demo, port = start_demo(folder)
        desk = Desk(folder, {4001: port, 3000: free_port()})
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
                    results.add(f"{block} (run)", run_block(block, desk))
                elif block.mark("server"):
                    results.add(f"{block} (server)", desk.serve(block.text, 3000))
                elif block.language in PROGRAMS and block not in cpp and not block.excused and not place:
                    results.add(str(block), "neither `<!-- run -->` nor `<!-- not run: REASON -->` stands before it")
            running = not demo.ended()
            demo.process.terminate()
            demo.wait_for(demo.ended, 10)
            results.add("the demo survived all of it and ends with exit code 0",
                        "" if running and demo.process.poll() == 0 else f"exit code {demo.process.poll()}\n{demo.output[-2000:]}")
        finally:
            desk.clear()
            demo.finish()

    return results.close()


if __name__ == "__main__":
    sys.exit(main())
