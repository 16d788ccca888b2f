"""A clean stdout: events for the parent process, and nothing that a library prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from calid.protocol import Event


@contextmanager
def event_stream() -> Iterator[Callable[[Event], None]]:
    """Inside, the yielded function writes events as JSON lines to stdout, and all other output goes to stderr.

    The redirection is at the level of file descriptors, because C++ libraries print too.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(os.dup(stdout), "w", encoding="utf-8", newline="\n") as stream:

            def emit(event: Event) -> None:
                stream.write(event.to_line() + "\n")
                stream.flush()

            yield emit
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def take_stdin() -> int:
    """A file descriptor of stdin that only the caller has; descriptor 0 becomes empty.

    On Windows, loading a library while another thread reads descriptor 0 would hang.
    """
    stdin = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return stdin
