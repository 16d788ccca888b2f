"""What the worker does when memory runs out: it goes on with less, and says so; never silently.

The whole chain, from the first to the last resort:

1. half precision, from the start, wherever the processor computes in it (:func:`calid.reconstruction.device.autocast`);
2. one sample, if more were asked for;
3. the CPU.

The last two are here. They start again with the first phase, also where some were delivered: all phases of a cine have
to be made in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calid.failures import is_out_of_memory
from calid.options import Options
from calid.protocol import Event, Started, Warned
from calid.stacks.stack import SliceStack


def reconstruct_with_fallback(
    reconstruct: Callable[..., Any],
    stack: SliceStack,
    options: Options,
    progress: Callable[[Event], None],
    **keywords: Any,
) -> Any:
    """What ``reconstruct`` returns, with fewer samples or on the CPU if memory runs out.

    :param reconstruct: :func:`calid.reconstruct` or one with the same arguments.
    :param progress: gets a :class:`~calid.protocol.Warned` event at each step of the chain.
    :raises OutOfResources: if memory runs out on the CPU too, or there is no such device.
    """
    while True:
        listener = _DeviceListener(options.device, progress)
        try:
            return reconstruct(stack, options=options, progress=listener, **keywords)
        except Exception as error:
            easier = _easier(listener.device, options) if is_out_of_memory(error) else None
            if easier is None:
                raise
        # Outside of the except clause the error, and with it what its frames held in memory, is gone.
        progress(Warned(f"memory ran out on {listener.device}: starting again {_difference(options, easier)}"))
        options = easier


class _DeviceListener:
    """Passes events on, and notes which device "auto" has become."""

    def __init__(self, device: str, progress: Callable[[Event], None]) -> None:
        self.device, self._progress = device, progress

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.device = event.device
        self._progress(event)


def _easier(device_in_use: str, options: Options) -> Options | None:
    """What to try next; ``None`` if nothing is left."""
    if options.samples is not None and options.samples > 1:
        return options.changed(samples=1)
    return None if device_in_use.startswith("cpu") else options.changed(device="cpu")


def _difference(options: Options, easier: Options) -> str:
    if easier.samples != options.samples:
        return f"with 1 sample instead of {options.samples}"
    return f"on the {easier.device.upper()}, which takes longer"
