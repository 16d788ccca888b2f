"""What the worker does when memory runs out: it goes on with less, and says so; never silently.

The whole chain, from the first to the last resort:

1. half precision, from the start, wherever the processor computes in it (:func:`calid.reconstruction.device.autocast`);
2. smaller tiles of the field of view (:data:`calid.reconstruction.tiles.TILE_PIXELS`);
3. one sample, if more were asked for;
4. the CPU.

The last two are here. They start again with the first phase, also where some were delivered: all phases of a cine have
to be made in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calid.failures import is_out_of_memory
from calid.protocol import Event, Started, Warned


def reconstruct_with_fallback(
    reconstruct: Callable[..., Any],
    *arguments: Any,
    device: str,
    samples: int | None,
    progress: Callable[[Event], None],
    **options: Any,
) -> Any:
    """What ``reconstruct`` returns, with fewer samples or on the CPU if memory runs out.

    :param reconstruct: :func:`calid.reconstruction.reconstruct.reconstruct` or one with the same arguments.
    :param progress: gets a :class:`~calid.protocol.Warned` event at each step of the chain.
    :raises OutOfResources: if memory runs out on the CPU too, or there is no such device.
    """
    while True:
        listener = _DeviceListener(device, progress)
        try:
            return reconstruct(*arguments, device=device, samples=samples, progress=listener, **options)
        except Exception as error:
            easier = _easier(listener.device, device, samples) if is_out_of_memory(error) else None
            if easier is None:
                raise
        # Outside of the except clause the error, and with it what its frames held in memory, is gone.
        progress(Warned(f"memory ran out on {listener.device}: starting again {_difference(samples, easier)}"))
        device, samples = easier


class _DeviceListener:
    """Passes events on, and notes which device "auto" has become."""

    def __init__(self, device: str, progress: Callable[[Event], None]) -> None:
        self.device, self._progress = device, progress

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.device = event.device
        self._progress(event)


def _easier(device_in_use: str, device: str, samples: int | None) -> tuple[str, int | None] | None:
    """The next device and number of samples to try; ``None`` if nothing is left."""
    if samples is not None and samples > 1:
        return device, 1
    return None if device_in_use.startswith("cpu") else ("cpu", samples)


def _difference(samples: int | None, easier: tuple[str, int | None]) -> str:
    device, fewer = easier
    return f"with 1 sample instead of {samples}" if fewer != samples else f"on the {device.upper()}, which takes longer"
