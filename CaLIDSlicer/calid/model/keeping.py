"""Models that stay in memory from one job to the next, where that is asked for. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
Model = TypeVar("Model")

_loaded: dict[tuple[str, ...], Any] | None = None


@contextmanager
def keeping() -> Iterator[None]:
    """Inside, each model is verified and loaded once for each folder and device; at the end all are let go."""
    global _loaded  # noqa: PLW0603  # a process has one memory
    before, _loaded = _loaded, {}
    try:
        yield
    finally:
        _loaded = before


def kept(load: Callable[P, Model]) -> Callable[P, Model]:
    """A function that loads a model, and inside of :func:`keeping` returns the one that it has loaded before."""

    @wraps(load)
    def loaded(*args: P.args, **named: P.kwargs) -> Model:
        if _loaded is None:
            return load(*args, **named)
        key = (load.__name__, *map(str, args), *(f"{name}={value}" for name, value in sorted(named.items())))
        if key not in _loaded:
            _loaded[key] = load(*args, **named)
        return _loaded[key]

    return loaded
