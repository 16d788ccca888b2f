"""How far a run is: on a terminal as a bar, in a log as a line for each failed case and each tenth of all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

from calid.batch.case import DONE, Outcome


class Bar:
    """Cases done, failed, rate and time left.

    with Bar() as bar:
        tell = bar.begin(cases=200, before=17)
        tell(outcome)
    """

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._cases, self._done, self._failed = 0, 0, 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, cases: int, before: int) -> Callable[[Outcome], None]:
        """Show a run of so many cases, ``before`` of which are finished; returns who takes the others."""
        self._cases, self._done = cases, before
        if sys.stderr.isatty():
            self._bar = tqdm(total=cases, initial=before, unit="case", file=sys.stderr, smoothing=0.05)
        return self._add

    def _add(self, outcome: Outcome) -> None:
        tenths = 10 * self._done // self._cases
        self._done += 1
        if outcome.status != DONE:
            self._failed += 1
            tqdm.write(f"sub-{outcome.id}: {outcome.error}", file=sys.stderr)
        if self._bar is not None:
            self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update()
        elif 10 * self._done // self._cases > tenths:
            tqdm.write(f"{self._done} of {self._cases} cases, {self._failed} failed", file=sys.stderr)
