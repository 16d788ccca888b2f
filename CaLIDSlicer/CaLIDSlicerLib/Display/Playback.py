"""A cine that beats at the pace of the heart."""

from __future__ import annotations

import slicer

from .. import Host
from ..Scene.CineInput import browsersShowing
from ..Scene.PhaseTimes import phaseTimes

BEAT_SECONDS = 1.0
"""Length of a heart cycle whose times are not known."""


def play(browser, playing: bool = True) -> bool:
    """Start or stop a sequence browser, in a loop, at the heart's own rate as far as it is known.

    :param browser: vtkMRMLSequenceBrowserNode, or ``None`` for a still.
    """
    if browser is None:
        return False
    if playing:
        offer(browser)
        browser.SetPlaybackRateFps(framesPerSecond(browser.GetMasterSequenceNode()))
        browser.SetPlaybackLooped(True)
        browser.SetPlaybackItemSkippingEnabled(True)  # a slow computer keeps the pace and leaves phases out
    browser.SetPlaybackActive(playing)
    return True


def offer(browser) -> None:
    """Show the toolbar that plays a sequence browser: left alone, it acts on another cine, or on none."""
    if browser is not None and Host.application():
        slicer.modules.sequences.showSequenceBrowser(browser)


def browserOf(volume):
    """The vtkMRMLSequenceBrowserNode that plays a cine's proxy volume, or ``None``."""
    isInScene = volume is not None and volume.GetScene() is not None
    return next(iter(browsersShowing(volume)), None) if isInScene else None


def isWhole(volume) -> bool:
    """Whether a dense cine has all phases of its input; false for a volume that is no cine."""
    browser = browserOf(volume)
    if browser is None:
        return False
    phases = browser.GetSequenceNode(volume).GetNumberOfDataNodes()
    return phases == browser.GetMasterSequenceNode().GetNumberOfDataNodes()


def framesPerSecond(sequence) -> float:
    """Phases per second: from the times of the phases, or one beat in :data:`BEAT_SECONDS` if they are not known."""
    times = phaseTimes(sequence) or ()
    if len(times) < 2:
        return max(sequence.GetNumberOfDataNodes(), 1) / BEAT_SECONDS
    return 1000 * (len(times) - 1) / (times[-1] - times[0])
