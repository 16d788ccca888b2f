"""Silence of pydicom, which warns of every odd UID of an archive, and puts values of headers into its log."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Neither warnings nor a log: what matters to a user is in the study report."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.disabled = True
        try:
            yield
        finally:
            logger.disabled = before
