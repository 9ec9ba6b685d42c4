"""Asks a process of its own what an uploaded file is, and ends it when it takes too long."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from videos.problems import Refused

logger = logging.getLogger(__name__)

LONGEST_S = 45.0


@dataclass(frozen=True, slots=True)
class Found:
    container: str
    extension: str
    codec: str
    width: int
    height: int
    fps: float
    duration_s: float
    is_playable: bool


def look(path: Path) -> Found:
    """Blocks for as long as LONGEST_S. Raises Refused."""
    command = [sys.executable, "-m", "videos.probe", str(path), str(settings.VIDEO_MAX_S), str(settings.VIDEO_MAX_FPS)]
    # Nothing of ours for whoever might take that process over: no secrets, no database.
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    try:
        done = subprocess.run(  # noqa: S603 (our own command; the path is ours as well)
            command, cwd=settings.BASE_DIR, env=environment, capture_output=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refused("too_heavy") from None
    answer = _answer(done.stdout)
    if answer is None:
        logger.warning("looking into %s ended with %d: %s", path.name, done.returncode, done.stderr[-500:])
        raise Refused("too_heavy")
    if problem := answer.get("problem"):
        logger.info("%s was refused: %s %s", path.parent.name, problem, answer.get("detail", ""))
        raise Refused(str(problem))
    return Found(**answer)


def _answer(printed: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(printed)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
