"""Steps in turns of an event loop, which here is the test."""

from __future__ import annotations

import pytest

from CaLIDSlicerLib import Host
from CaLIDSlicerLib.Display.Turns import Turns, atOnce


@pytest.fixture
def loop(monkeypatch) -> list:
    """The functions that the event loop calls in each of its turns."""
    called: list = []

    def callRegularly(function, _milliseconds):
        called.append(function)
        return lambda: called.remove(function)

    monkeypatch.setattr(Host, "application", object)
    monkeypatch.setattr(Host, "callRegularly", callRegularly)
    return called


def steps(taken: list, isDone: bool = True):
    for number in range(3):
        taken.append(number)
        yield
    return isDone


@pytest.mark.parametrize("isDone", [True, False])
def test_without_an_event_loop_all_steps_are_taken_at_once(isDone):
    taken: list = []
    assert atOnce(steps(taken, isDone)) is isDone
    Turns(steps(taken, isDone)).then(lambda: taken.append("after"))
    assert taken == [0, 1, 2, 0, 1, 2, *(["after"] if isDone else [])]


def test_each_step_takes_a_turn(loop):
    taken: list = []
    turns = Turns(steps(taken))
    turns.then(lambda: taken.append("after"))
    for number in range(3):
        loop[0]()
        assert taken == list(range(number + 1))
        assert turns.isGoing
    loop[0]()
    assert taken == [0, 1, 2, "after"]
    assert not turns.isGoing
    assert loop == []


def test_what_is_left_can_be_done_now_or_not_at_all(loop):
    taken: list = []
    now = Turns(steps(taken))
    loop[0]()
    now.finish()
    assert taken == [0, 1, 2]
    never = Turns(steps(taken))
    never.then(lambda: taken.append("after"))
    never.stop()
    never.finish()
    assert taken == [0, 1, 2]
    assert loop == []


def test_a_step_that_lets_the_event_loop_run_is_not_taken_twice(loop):
    taken: list = []

    def nested():
        loop[0]()
        taken.append(0)
        yield
        return True

    Turns(nested()).finish()
    assert taken == [0]


def test_a_step_that_fails_is_the_last(loop):
    def failing():
        yield
        raise RuntimeError("no OpenGL")

    turns = Turns(failing())
    loop[0]()
    with pytest.raises(RuntimeError):
        loop[0]()
    assert not turns.isGoing
    assert loop == []
