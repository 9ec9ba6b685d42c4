"""A camera's areas and lines as analysis reads them: from a file in the spool folder, so that no frame asks a database.

Written by the admin when they change, and by the clock where that was missed. A camera without any has no file.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cameras import folders, zones
from cameras.zones import BadZone, Drawn

logger = logging.getLogger(__name__)

NAME = "zones.json"


def write(camera_id: int, found: Iterable[Drawn]) -> None:
    """Makes these the areas and lines that are watched."""
    folder = folders.of(camera_id)
    rows = [
        {"id": zone.id, "name": zone.name, "kind": zone.kind, "points": zone.points, "loiter_s": zone.loiter_s}
        for zone in sorted(found, key=lambda zone: zone.id)
    ]
    if not rows:
        (folder / NAME).unlink(missing_ok=True)
        return
    body = json.dumps(rows)
    with suppress(FileNotFoundError):
        if (folder / NAME).read_text() == body:
            return
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{NAME}-{os.getpid()}-{threading.get_ident()}"
    fresh.write_text(body)
    fresh.replace(folder / NAME)


def read(folder: Path) -> tuple[Drawn, ...]:
    """What is watched; nothing where the file is damaged, until it is written anew."""
    try:
        return tuple(_drawn(row) for row in json.loads((folder / NAME).read_bytes()))
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        logger.error("%s is damaged: %s", folder / NAME, error)
        return ()


def _drawn(row: dict[str, object]) -> Drawn:
    kind, loiter_s = row["kind"], row["loiter_s"]
    if kind not in ("area", "line") or not isinstance(row["id"], int):
        raise BadZone("kind")
    points = zones.parse(row["points"], is_line=kind == "line")
    return Drawn(row["id"], str(row["name"]), kind, points, loiter_s if isinstance(loiter_s, int | float) else None)


def stamp(folder: Path) -> tuple[int, int] | None:
    """Differs when others were written."""
    with suppress(FileNotFoundError):
        found = (folder / NAME).stat()
        return found.st_ino, found.st_mtime_ns
    return None
