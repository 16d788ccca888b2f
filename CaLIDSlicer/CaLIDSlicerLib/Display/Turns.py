"""Work that is done step by step, so that the window answers between two steps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from .. import Host

Steps = Generator[None, None, bool]
"""Work that may be interrupted at each ``yield``; it returns whether it was done."""


def atOnce(steps: Steps) -> bool:
    """Take all steps now, and return what they do."""
    outcome: list[bool] = []

    def taken() -> Iterator[None]:
        outcome.append((yield from steps))

    for _step in taken():
        pass
    return outcome[0]


class Turns:
    """Steps that are taken one by one in turns of the event loop; without an application, all at once."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._followers: list[Callable[[], None]] = []
        self.isGoing, self._isDone, self._isTaking = True, False, False
        self._end = Host.callRegularly(self._take, 0)
        if not Host.application():
            self.finish()

    def then(self, follower: Callable[[], None]) -> None:
        """Call ``follower`` after the last step, if that said that it was done."""
        if self.isGoing:
            self._followers.append(follower)
        elif self._isDone:
            follower()

    def finish(self) -> None:
        """Take the steps that are left now."""
        while self.isGoing and not self._isTaking:
            self._take()

    def stop(self) -> None:
        """Take no more of them."""
        if self.isGoing:
            self.isGoing = False
            self._end()

    def _take(self) -> None:
        if not self.isGoing or self._isTaking:  # a step may let the event loop run
            return
        self._isTaking = True
        try:
            next(self._steps)
        except StopIteration as end:
            self.stop()
            self._isDone = bool(end.value)
        except BaseException:
            self.stop()
            raise
        finally:
            self._isTaking = False
        for follower in self._followers if self._isDone else ():
            follower()
