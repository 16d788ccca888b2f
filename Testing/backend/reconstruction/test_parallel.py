"""Sharing out slices: order, the thread that hears of progress, and the end when something fails."""

import threading

import pytest
import torch

from calid.errors import Cancelled
from calid.reconstruction.parallel import run_all

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items_though_the_first_is_the_last_to_finish():
    second_is_done = threading.Event()

    def work(item, tick):
        if item == "first":
            assert second_is_done.wait(10)
        else:
            second_is_done.set()
        return item.upper()

    assert run_all(work, ["first", "second"], CPU, lambda: None) == ["FIRST", "SECOND"]


def test_every_step_is_reported_in_the_calling_thread():
    heard = []

    def work(item, tick):
        tick()
        tick()

    run_all(work, range(5), CPU, lambda: heard.append(threading.get_ident()))
    assert heard == [threading.get_ident()] * 10


def test_work_is_done_without_gradients_by_one_thread_each():
    weight = torch.ones(1, requires_grad=True)
    results = run_all(lambda item, tick: (weight * item, torch.get_num_threads()), [1, 2, 3], CPU, lambda: None)
    assert [threads for _, threads in results] == [1, 1, 1]
    assert not any(product.requires_grad for product, _ in results)
    assert torch.get_num_threads() == 2


def test_an_error_in_one_item_ends_the_others():
    reached = []
    other_has_begun = threading.Event()

    def work(item, tick):
        if item == 0:
            assert other_has_begun.wait(10)
            raise RuntimeError("out of memory")
        other_has_begun.set()
        for _ in range(1_000_000):
            tick()
        reached.append(item)

    with pytest.raises(RuntimeError, match="out of memory"):
        run_all(work, range(4), CPU, lambda: None)
    assert reached == []
    assert torch.get_num_threads() == 2


def test_the_caller_can_cancel_from_its_progress():
    def stop():
        raise Cancelled("enough")

    def endless(item, tick):
        while True:
            tick()

    with pytest.raises(Cancelled, match="enough"):
        run_all(endless, range(3), CPU, stop)
