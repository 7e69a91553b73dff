#!/usr/bin/env python3
"""Starts a Windows program by wine, and ends it as its user would: SIGTERM to this script is Ctrl-C to the program.

    tests/matrix/wine.py WINE PROGRAM [ARGUMENT...]

Windows has no SIGTERM; what a program in a console gets is Ctrl-C, and under wine a terminal is the console. So
the program has a terminal for its input, and what it writes goes where this script's output goes. The exit code
is the program's.
"""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios

keyboard, terminal = pty.openpty()


def own_the_terminal():
    """In the new process: it leads a session of its own, whose terminal is its standard input."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


signal.signal(signal.SIGTERM, lambda *_: os.write(keyboard, b"\x03"))
program = subprocess.Popen(sys.argv[1:], stdin=terminal, start_new_session=True, preexec_fn=own_the_terminal)
os.close(terminal)
sys.exit(program.wait() & 255)
