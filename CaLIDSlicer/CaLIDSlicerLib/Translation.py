"""The text of the panel in the language of Slicer; on the MRML library alone it stays as it is written.

What is raised stays in English, and so does what looks wrong in a stack: the README explains errors by their exact
words, and command line, scripts and logs show the same.
"""

from __future__ import annotations

try:
    from slicer.i18n import tr as _
except ImportError:

    def _(text: str) -> str:
        return text


__all__ = ["_"]
