"""How much memory is left. Standard library only."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_SHARE = 1024
_MEMORY_INFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Memory that a program can still have without swapping; ``None`` where the system does not tell."""
    if _MEMORY_INFO.exists():
        for line in _MEMORY_INFO.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * _SHARE
    if sys.platform == "win32":
        return _of_windows()
    try:  # macOS tells only what is there
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


class _MemoryStatus(ctypes.Structure):
    """``MEMORYSTATUSEX`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "total_page", "free_page", "total_virtual")),
        *((name, ctypes.c_uint64) for name in ("free_virtual", "free_extended")),
    )


def _of_windows() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # other systems' types have no such name
    return int(status.free) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None
