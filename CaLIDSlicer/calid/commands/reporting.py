"""How the command line tells what happens: one line for people, or JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from calid.errors import CalidError
from calid.failures import to_event
from calid.protocol import Done, Event, Failed, Progress, Started, Warned, Witnessed
from calid.remedies import COMMAND_LINE
from calid.worker.stdio import event_stream


@contextmanager
def reporter(style: str) -> Iterator[Callable[[Event], None]]:
    """Yield the function that takes the events of a job: ``"json"`` on stdout, ``"text"`` on stderr."""
    if style == "json":
        with event_stream() as emit:
            yield emit
    else:
        yield TextReporter(sys.stderr)


class TextReporter:
    """Writes events for people. On a terminal progress is one line, written over; in a log every tenth part."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.tenths = -1

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Progress):
            self._progress(event)
        elif line := _sentence(event):
            self._clear()
            print(line, file=self.stream, flush=True)

    def _progress(self, event: Progress) -> None:
        left = f", {event.seconds_left:.0f} s left" if event.seconds_left and event.seconds_left >= 1 else ""
        line = f"phase {event.phase + 1} of {event.phases}: {event.fraction:.0%}{left}"
        if self.is_terminal:
            self._clear()
            print(line, end="", file=self.stream, flush=True)
        elif int(event.fraction * 10) > self.tenths:
            self.tenths = int(event.fraction * 10)
            print(line, file=self.stream, flush=True)

    def _clear(self) -> None:
        if self.is_terminal:
            print("\r\x1b[K", end="", file=self.stream)


def fail(report: Callable[[Event], None], error: CalidError) -> int:
    """Report an error that ends the job; returns its exit code."""
    report(replace(to_event(error), remedy=error.told_in(COMMAND_LINE).remedy))
    return int(error.exit_code)


def _sentence(event: Event) -> str:
    if isinstance(event, Started):
        made = f" become {event.slices_out}" if event.slices_out != event.slices_in else ""  # a self-check makes none
        slices = f"{event.slices_in} slices{made}"
        phases = f"{event.phases} phase{'s' * (event.phases > 1)}"
        return f"model {event.model} on {event.device}: {slices}, {phases}{_thickness(event)}"
    if isinstance(event, Witnessed):
        from calid.dicom.report import witnesses_in_words

        return "\n".join(witnesses_in_words(event.views))
    if isinstance(event, Warned):
        return f"calid: warning: {event.message}"
    if isinstance(event, Failed):
        return f"calid: {event.message}" + f"\n  {event.remedy}" * bool(event.remedy)
    if isinstance(event, Done):
        memory = event.peak_memory_bytes
        return f"done in {event.seconds:.1f} s" + (f", at most {memory / 2**20:.0f} MB of memory" if memory else "")
    return ""


def _thickness(event: Started) -> str:
    if event.thickness is None:
        return ""
    said = {"assumed": " (assumed: --thickness MM if you know it)", "file": " (says the file)"}
    return f", acquired slices {event.thickness:g} mm thick{said.get(event.thickness_source, '')}"
