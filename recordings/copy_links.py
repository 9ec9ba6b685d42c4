"""Links a camera's compressed pictures into its takes, as the cutter links the JPEGs: clips are copied from them.

They come later than the pictures decoded from them: a file is written when its group, or a stretch of it, is over.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cameras import packet_ring, packets
from cameras.packets import STRETCH_S, Name

PATIENCE_S = 2 * STRETCH_S + 2.0  # After a clip's end for the packets of it.


def folder_in(take: Path) -> Path:
    return take / packets.FOLDER


class PacketLinks:
    """Of all takes of one camera."""

    def __init__(self, camera: Path) -> None:
        self._camera = camera
        self._ring = camera / packets.FOLDER
        self._linked: dict[str, set[Name]] = {}

    def link(self, take: Path, *, first_us: int, last_us: int) -> None:
        """What was captured in this range, back to the key picture before it. Of a masked camera nothing, not even what
        was linked before: the newest of it may show what is masked by now."""
        if packet_ring.is_forbidden(self._camera):
            drop(take)
            return
        found = packets.names_in(self._ring)
        if not found:
            return
        known = self._linked.setdefault(take.name, set())
        folder = folder_in(take)
        for name in _wanted(found, first_us, last_us):
            if name in known:
                continue
            folder.mkdir(exist_ok=True)
            with suppress(FileExistsError, FileNotFoundError):
                os.link(self._ring / str(name), folder / str(name))
            known.add(name)

    def are_awaited(self, take: Path, *, end: float, now: float) -> bool:
        """Whether packets of this take's last seconds have yet to come, or to be linked."""
        known, end_us = self._linked.get(take.name), round(end * 1e6)
        if not known or abs(now - end) > PATIENCE_S or packet_ring.is_forbidden(self._camera):
            return False
        found = packets.names_in(self._ring)
        is_all_linked = known.issuperset(name for name in found if max(known).first_us < name.first_us <= end_us)
        return not is_all_linked or all(name.last_us < end_us for name in found)

    def forget(self, take_id: str) -> None:
        self._linked.pop(take_id, None)


def _wanted(names: list[Name], first_us: int, last_us: int) -> list[Name]:
    inside = [name for name in names if name.last_us >= first_us and name.first_us <= last_us]
    groups = {name.key_us for name in inside}
    return [name for name in names if name.key_us in groups and name.first_us <= last_us]


def drop(take: Path) -> None:
    """All compressed pictures of a take that no part holds yet."""
    for name in packets.names_in(folder_in(take)):
        (folder_in(take) / str(name)).unlink(missing_ok=True)
