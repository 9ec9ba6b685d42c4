"""Where a camera's state lies on this node."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def of(camera_id: int) -> Path:
    return Path(settings.SPOOL_DIR) / str(camera_id)


def tracks_of(camera_id: int) -> Path:
    return Path(settings.TRACKS_DIR) / str(camera_id)


def all_ids() -> list[int]:
    """The cameras that have a spool folder here, also those whose row is gone."""
    root = Path(settings.SPOOL_DIR)
    return sorted(int(path.name) for path in root.iterdir() if path.name.isdigit()) if root.is_dir() else []
