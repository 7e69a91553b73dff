"""The blocks of a Markdown page, and the terminals they are typed into: what tests/readme.py and
tests/workshop/run.py have in common.

A mark is an HTML comment on the line before a block, which readers do not see. Both suites know these; what else
a mark may say stands in the suite that reads it:

    <!-- server -->             ```sh: typed into the first terminal, where it stays until the next such block, or
                                the end of the page; what comes next waits until it listens
    <!-- output -->             lines that the block before must print, in this order; `...` stands for anything
    <!-- output, all of it -->  the same, and it prints nothing else
"""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

from common import ROOT, environment


# ---- Reading ---------------------------------------------------------------------------------------------


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
            if block.mark("output(, all of it)?") and blocks:
                blocks[-1].output = block
            else:
                blocks.append(block)
            marks, at = [], end
        elif line:
            marks = []
        at += 1
    return blocks


# ---- Comparing -------------------------------------------------------------------------------------------


def pattern(row: str) -> str:
    return ".*".join(re.escape(part) for part in row.rstrip().split("..."))


def prints(output: str, wanted: str) -> bool:
    """Whether the wanted lines are in the output, in order; `...` stands for anything."""
    rows = iter(row.rstrip() for row in output.splitlines())
    patterns = [pattern(row) for row in wanted.splitlines() if row.strip() not in ("", "...")]
    return all(any(re.fullmatch(pattern, row) for row in rows) for pattern in patterns)


def prints_what(output: str, wanted: Optional[Block], text: str) -> bool:
    """The one or the other, as the output block's mark says."""
    return (prints_exactly if wanted and wanted.mark("output, all of it") else prints)(output, text)


def prints_exactly(output: str, wanted: str) -> bool:
    """Whether the output is these lines and no others; `...` stands for anything within one."""
    have, want = output.rstrip().splitlines(), wanted.rstrip().splitlines()
    return len(have) == len(want) and all(re.fullmatch(pattern(w), h.rstrip()) for h, w in zip(have, want))


# ---- Running ---------------------------------------------------------------------------------------------


class Running:
    """A process group whose output is collected."""

    def __init__(self, command: List[str], folder: str, stdin=subprocess.DEVNULL):
        self.process = subprocess.Popen(command, cwd=folder, env=environment(), stdin=stdin, start_new_session=True,
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


class Terminal(Running):
    """One bash, into which blocks are typed one after the other; a command that fails ends it, and its block."""

    END = "---- typed ----"

    def __init__(self, folder: str):
        super().__init__(["bash", "-e"], folder, subprocess.PIPE)
        self.folder = folder

    def type(self, text: str, seconds: float, meanwhile: Callable[[str], None] = lambda output: None) -> Tuple[str, str]:
        """Types a block and waits for its end: what it printed, and what went wrong ('': nothing)."""
        script, before = os.path.join(self.folder, ".typed"), len(self.output)
        with open(script, "w", encoding="utf-8") as file:
            file.write(text)
        end = f"\n{self.END}\n"
        self.process.stdin.write(f". ./.typed </dev/null; printf '\\n{self.END}\\n'\n")
        self.process.stdin.flush()

        def over():
            meanwhile(self.output[before:])
            return self.output[before:].endswith(end) or self.ended()  # a block before ended the same way

        in_time = self.wait_for(over, seconds)
        if self.ended():
            self.reader.join(1)
        output = self.output[before:].removesuffix(end)
        wrong = "" if in_time else f"did not end within {seconds:g} seconds"
        return output, f"exit code {self.process.returncode}" if self.ended() else wrong


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Desk:
    """A reader's two terminals, the first one for a server, and the ports that stand for those that are printed."""

    def __init__(self, folder: str, ports: Dict[int, int]):
        self.folder, self.ports = folder, ports
        self.server: Optional[Running] = None
        self.terminal: Optional[Terminal] = None
        self.exports = ""                           # what was exported, for a terminal after the first one

    def ported(self, text: str) -> str:
        for printed, ours in self.ports.items():
            text = re.sub(rf"\b{printed}\b", str(ours), text)
        return text

    def serve(self, text: str, port: int, seconds: float = 60) -> str:
        """Starts a server in the first terminal, waits until it listens on the port printed; what went wrong."""
        self.end_server()
        port = self.ports[port]
        server = self.server = Running(["bash", "-e", "-c", self.ported(text)], self.folder)
        server.wait_for(lambda: listens(port) or server.ended(), seconds)
        if server.ended():
            server.reader.join(1)
            return f"ended with exit code {server.process.returncode}\n{server.output}"
        return "" if listens(port) else f"nothing listens on port {port} after {seconds:g} seconds\n{server.output}"

    def end_server(self):
        if self.server:
            self.server.finish()
        self.server = None

    def type(self, text: str, seconds: float, meanwhile: Callable[[str], None] = lambda output: None) -> Tuple[str, str]:
        """Types a block into the second terminal, a new one if a block before has ended it."""
        if not self.terminal or self.terminal.ended():
            self.terminal = Terminal(self.folder)
            self.terminal.type(self.exports, 10)
        self.exports += "".join(re.findall(r"^export .*\n", text, re.M))
        output, wrong = self.terminal.type(self.ported(text), seconds, meanwhile)
        if wrong:
            self.terminal.finish()
        return output, wrong

    def clear(self):
        self.end_server()
        if self.terminal:
            self.terminal.finish()


def look_alike(folder: str, without: Tuple[str, ...] = ()):
    """The project's files in a folder that commands may write to."""
    for name in os.listdir(ROOT):
        if name != ".git" and name not in without:
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
