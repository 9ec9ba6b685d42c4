"""A picture now and then of a clip that is copied, kept for its poster and filmstrip: to decode its video for these
would cost more than all the copying. Pure.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cameras.ring import captured_at_of, scan

FOLDER = "stills"
EVERY_S = 2.0


def keep(take: Path, wanted: Sequence[Path]) -> None:
    """Links some of these pictures, which are about to go. The same again changes nothing."""
    folder = take / FOLDER
    folder.mkdir(exist_ok=True)
    last_at = max((captured_at_of(name) for name in scan(folder)), default=0.0)
    for picture in wanted:
        at = captured_at_of(picture.name)
        if at - last_at >= EVERY_S:
            with suppress(FileExistsError, FileNotFoundError):
                os.link(picture, folder / picture.name)
            last_at = at


def pictures(take: Path) -> list[Path]:
    """In order of capture; none where nothing was copied."""
    return [take / FOLDER / name for name in sorted(scan(take / FOLDER))]


def drop(take: Path) -> None:
    for picture in pictures(take):
        picture.unlink(missing_ok=True)
