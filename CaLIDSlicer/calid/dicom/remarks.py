"""What was decided, corrected or looks wrong in making a stack of a study."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a remark matters."""

    NOTE = "noted"
    CORRECTED = "corrected"
    SUSPICIOUS = "suspicious"


class Topic(Enum):
    """What a remark is about."""

    ORDER = "order of the phases"
    PHASES = "number of phases"
    INTERVAL = "R-R interval"
    REPEATED = "repeated slice"
    EARLIER = "earlier acquisition"
    MISSING = "missing slice"
    UNEVEN = "uneven gaps"
    TILTED = "tilted slice"
    GRID = "pixel grid"
    SCALE = "intensity scale"
    BRIGHTNESS = "brightness"
    THICKNESS = "thickness"
    UNREADABLE = "unreadable picture"
    DUPLICATE = "duplicate pictures"
    DERIVED = "derived pictures"
    CONVERTED = "converted files"
    IDENTITY = "patients"
    VIEW = "view"


@dataclass(frozen=True)
class Remark:
    """One thing to know about a stack.

    :param text: a sentence, in which slices and phases are counted from 1.
    :param slices: of the stack that it is about, counted from 0.
    """

    topic: Topic
    level: Level
    text: str
    slices: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.text


def note(topic: Topic, text: str, *slices: int) -> Remark:
    """What was decided."""
    return Remark(topic, Level.NOTE, text, slices)


def corrected(topic: Topic, text: str, *slices: int) -> Remark:
    """What is not as it was acquired, or not as the files have it."""
    return Remark(topic, Level.CORRECTED, text, slices)


def suspicious(topic: Topic, text: str, *slices: int) -> Remark:
    """What should be looked at."""
    return Remark(topic, Level.SUSPICIOUS, text, slices)
