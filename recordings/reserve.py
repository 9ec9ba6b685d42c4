"""A file that does nothing but take room in the data folder, given up when the disk is full to the last byte.

Without it nothing could recover by itself: SQLite cannot even be opened then, and only it knows which clips may go.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

BYTES = 8_000_000
NAME = "reserve"


def balance(_now: float) -> int:
    """Gives the room up where next to none is left, and takes it again where there is plenty."""
    path = Path(settings.DATA_DIR) / NAME
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < BYTES // 2 and path.exists():
        path.unlink(missing_ok=True)
        logger.warning("the disk of %s is full; its reserve of %d bytes is given up", settings.DATA_DIR, BYTES)
    elif free > 4 * BYTES and not path.exists():
        _take(path)
    return 0


def _take(path: Path) -> None:
    fresh = path.with_name(f".{NAME}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, BYTES)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
