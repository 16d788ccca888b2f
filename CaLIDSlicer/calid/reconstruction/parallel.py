"""Several batches at a time on a CPU: each core takes slices of its own.

The rounding of half-precision sums depends on the batch size, and the same seed has to give the same result however
the slices of a job are grouped. So a CPU works slice by slice, and one slice is too little work to share out operation
by operation: cores would mostly wait for each other. An accelerator is kept busy by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

import torch

from calid.errors import Cancelled
from calid.reconstruction.device import autocast

Item = TypeVar("Item")
Result = TypeVar("Result")
Tick = Callable[[], None]
Work = Callable[[Item, Tick], Result]
"""One item and a function to call after each step of it; it raises once the result is no longer wanted."""

MOST_WORKERS = 8
"""Each holds the features of one slice in memory: some 100 MB at 256 x 256."""


def run_all(work: Work[Item, Result], items: Sequence[Item], device: torch.device, on_step: Tick) -> list[Result]:
    """Results of ``work`` for each of ``items``, in their order, computed in half precision without gradients.

    ``on_step`` is called in the calling thread; whatever it or ``work`` raises ends the other items too.
    """

    def inferred(item: Item, tick: Tick) -> Result:
        with torch.inference_mode(), autocast(device):
            return work(item, tick)

    if device.type != "cpu":
        return [inferred(item, on_step) for item in items]
    return _share_out(inferred, items, on_step)


def _share_out(work: Work[Item, Result], items: Sequence[Item], on_step: Tick) -> list[Result]:
    unwanted, news = Event(), SimpleQueue[Future | None]()

    def tick() -> None:
        if unwanted.is_set():
            raise Cancelled("another slice failed")
        news.put(None)

    with _workers() as pool:
        futures = [pool.submit(work, item, tick) for item in items]
        try:
            for future in futures:
                future.add_done_callback(news.put)
            _follow(news, len(futures), on_step)
        except BaseException:
            unwanted.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _follow(news: SimpleQueue[Future | None], left: int, on_step: Tick) -> None:
    while left:
        finished = news.get()
        if finished is None:
            on_step()
        else:
            finished.result()
            left -= 1


def worker_count(device: torch.device) -> int:
    """How many items :func:`run_all` works on at a time."""
    return min(torch.get_num_threads(), MOST_WORKERS) if device.type == "cpu" else 1


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that share the cores which PyTorch may use."""
    cores, workers = torch.get_num_threads(), worker_count(torch.device("cpu"))
    try:
        with ThreadPoolExecutor(workers, "calid", torch.set_num_threads, (cores // workers,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(cores)  # what the workers set is also the default of every new thread
