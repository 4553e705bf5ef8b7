"""Run by path in a process that `terminal` made: take the pty as a session's terminal, then be the command line."""

import fcntl
import os
import signal
import sys
import termios


def take_terminal(name: str, out: str) -> None:
    """Make the pty ``name`` this session's terminal, and stdin, stdout and stderr; ``out``: stdout is that file."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
    terminal = os.open(name, os.O_RDWR)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for stream in (0, 1, 2):
        os.dup2(terminal, stream)
    os.close(terminal)
    if out:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.close(file)


if __name__ == "__main__":  # a new interpreter, leader of its session; its stdout is told when it has the terminal
    said = os.dup(1)
    take_terminal(sys.argv[1], sys.argv[2])
    os.write(said, b".")
    os.close(said)
    command = [sys.executable, "-c", "from fittingroom.cli import main; main()", *sys.argv[3:]]
    os.execv(sys.executable, command)

if __name__ == "a fork":  # of a process that has the libraries, with the names of `terminal.started` among the globals
    given = globals()
    os.environ.clear()
    os.environ.update(given["environment"])
    os.setsid()
    take_terminal(given["name"], given["out"])
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, way, 1) for n, way in ((0, "r"), (1, "w"), (2, "w")))
    given["ready"].set()
    sys.modules["torch"].set_num_threads(1)
    from fittingroom.cli import main

    main(given["arguments"])
