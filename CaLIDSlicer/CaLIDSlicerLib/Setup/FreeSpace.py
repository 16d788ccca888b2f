"""Free memory and free disk of this computer; the standard library of Python tells only the latter."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from .. import Host


def freeDisk(folder: str | Path | None = None) -> int:
    """Bytes free on the disk of ``folder``, or of the folder that jobs go to."""
    return shutil.disk_usage(folder or Host.temporaryFolder() or tempfile.gettempdir()).free


def freeMemory() -> int | None:
    """Bytes of memory that programs can still get without swapping; ``None`` where the system does not tell."""
    read = {"win32": _windows, "darwin": _mac}.get(sys.platform, _linux)
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        return read()
    return None


def _linux() -> int:
    return parseMeminfo(Path("/proc/meminfo").read_text(encoding="ascii"))


def parseMeminfo(text: str) -> int:
    """``MemAvailable`` of /proc/meminfo in bytes; raises ``ValueError`` if it is not there."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    if not found:
        raise ValueError("no MemAvailable")
    return int(found[1]) * 1024


def _mac() -> int:
    return parseVmStat(subprocess.run(["vm_stat"], capture_output=True, text=True, check=True, timeout=5).stdout)


def parseVmStat(text: str) -> int:
    """Free, inactive and speculative pages of ``vm_stat`` in bytes; raises ``ValueError`` if they are not there."""
    size = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative):\s+(\d+)\.", text, re.MULTILINE)
    if not size or not pages:
        raise ValueError("not the output of vm_stat")
    return int(size[1]) * sum(map(int, pages))


class _MemoryStatus(ctypes.Structure):
    """``MEMORYSTATUSEX`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("totalPhysical", "freePhysical", "totalPage", "freePage")),
        *((name, ctypes.c_uint64) for name in ("totalVirtual", "freeVirtual", "freeExtendedVirtual")),
    )


def _windows() -> int:
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        raise OSError("GlobalMemoryStatusEx failed")
    return status.freePhysical
