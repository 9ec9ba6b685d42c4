"""A file by which a process of this node says that it is at work; pages and /healthz read it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from django.conf import settings


def write(name: str) -> None:
    """Raises OSError."""
    folder = Path(settings.RUN_DIR)
    fresh = folder / f".{name}.json"
    fresh.write_text(json.dumps({"at": time.time()}))
    fresh.replace(folder / f"{name}.json")


def is_fresh(name: str, now: float, *, within_s: float) -> bool:
    """Whether that process has written within the last seconds."""
    try:
        beat = json.loads((Path(settings.RUN_DIR) / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return False
    return abs(now - float(beat["at"])) <= within_s
