"""A worker of a cohort without a model: it repeats slices, and does what the name of the input says.

python faulty_child.py [LIST], where LIST gets a line for each case that is begun.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_reconstruct import reconstruct

from calid.batch.case import Case, Outcome, Wanted
from calid.batch.child import main
from calid.batch.work import work


def once(path: Path) -> bool:
    """Whether this is the first call for a case."""
    try:
        path.with_name(path.name + ".seen").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def misbehave(path: Path) -> None:
    name = path.name
    if "sleep" in name:
        time.sleep(0.3)
    if "hang" in name:
        time.sleep(600)
    if "hog" in name:
        hoard = [bytearray(1 << 20) for _ in range(400)]
        time.sleep(600 if hoard else 0)
    if "crash" in name or ("unlucky" in name and once(path)):
        os.kill(os.getpid(), signal.SIGKILL)
    if "full" in name:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "defect" in name:
        raise ZeroDivisionError("division by zero")


def faulty(case: Case, wanted: Wanted, out: Path, request: dict[str, Any], redirect: Any) -> Outcome:
    if len(sys.argv) > 1:
        with Path(sys.argv[1]).open("a", encoding="utf-8") as begun:
            print(case.name, file=begun)
    behaving = partial(reconstruct, behave=partial(misbehave, case.path))
    return work(case, wanted, out, request, behaving, redirect)


if __name__ == "__main__":
    sys.exit(main(faulty))
