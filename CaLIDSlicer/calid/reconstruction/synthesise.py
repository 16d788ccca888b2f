"""Synthesis of missing slices on the model's pixel grid: every sample in a view of its own, in tiles if need be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calid.reconstruction.tiles import tile_weights, tile_windows
from calid.reconstruction.view import Decoded, View, Work


class Synthesiser:
    """Fills the missing slices of all phases of one stack, phase by phase in their order.

    :param tile: largest side of a tile, in pixels of the model grid.
    :param on_step: called :attr:`ticks` times for each phase.
    """

    def __init__(self, work: Work, on_step: Callable[[], None], tile: int) -> None:
        self.work, self.on_step = work, on_step
        windows = tile_windows(work.shape[1:], tile)
        self.weights = tile_weights(windows, work.shape[1:])
        # A tile is asked for to save memory: a batch of them must not take it all again.
        samples = range(work.sampling.samples)
        self.samples = [[View(work, sample, window, tile**2) for window in windows] for sample in samples]

    @property
    def ticks(self) -> int:
        """Calls of ``on_step`` for each phase on average: what later phases share is done with the first."""
        return sum(view.ticks for views in self.samples for view in views)

    def run(self, phase: int, decoded: Decoded) -> None:
        """Synthesise every sample of a phase; ``decoded`` is never called twice at a time for the same index."""
        for views in self.samples:
            axes = views[0].axes

            def unmirrored(index: int, planes: np.ndarray, axes: tuple[int, ...] = axes) -> None:
                decoded(index, np.flip(planes, axes))

            if len(views) == 1:
                views[0].run(phase, unmirrored, self.on_step)
            else:
                self._run_tiles(views, phase, unmirrored)

    def _run_tiles(self, views: list[View], phase: int, decoded: Decoded) -> None:
        mosaic: dict[int, np.ndarray] = {}
        for view, weight in zip(views, self.weights, strict=True):

            def add(index: int, planes: np.ndarray, view: View = view, weight: np.ndarray = weight) -> None:
                whole = mosaic.setdefault(index, np.zeros((len(planes), *self.work.shape[1:]), np.float32))
                whole[(slice(None), *view.window)] += planes * weight

            view.run(phase, add, self.on_step)
        for index, whole in mosaic.items():
            decoded(index, whole)
