"""Puts finished clips on the shelf as the media workers do: file and pictures on disk, row and seal in the database."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from cameras import folders
from cameras.models import Camera
from recordings import evidence, storage
from recordings.models import Recording
from recordings.takes import Take, TakeFolder, folder_of

NOW = datetime.now(UTC).replace(microsecond=0)  # For files have the time at which they were written.
LENGTH = timedelta(seconds=20)


def put(camera: Camera, *, days: float = 0, size: int = 100, is_sealed: bool = True, **changes: Any) -> Recording:
    """A clip that began so many days before NOW; `size` bytes of its own."""
    storage.look()  # As the product does before it writes: the first look makes the folder.
    start = NOW - timedelta(days=days)
    pk = uuid4()
    path = f"{camera.pk}/{start:%Y/%m/%d/%H%M%SZ}-{pk}.mp4"
    values: dict[str, Any] = {"state": Recording.State.READY, "start": start, "end": start + LENGTH, "path": path}
    row = Recording.objects.create(pk=pk, camera=camera, size=size, **{**values, **changes})
    sha256 = write(row, size)
    if is_sealed:
        with transaction.atomic():
            evidence.seal(row, sha256)
    return row


def write(row: Recording, size: int) -> str:
    clip = file_of(row)
    clip.parent.mkdir(parents=True, exist_ok=True)
    content = (row.pk.bytes * (size // 16 + 1))[:size]
    clip.write_bytes(content)
    for ending in (".jpg", ".strip.jpg"):
        clip.with_name(clip.stem + ending).write_bytes(b"picture")
    return hashlib.sha256(content).hexdigest()


def file_of(row: Recording) -> Path:
    return Path(settings.RECORDINGS_DIR) / row.path


def files() -> list[str]:
    """Everything below the storage but its identity."""
    root = Path(settings.RECORDINGS_DIR)
    names = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(name for name in names if name != storage.IDENTITY)


def clips() -> list[str]:
    return [name for name in files() if name.endswith(".mp4")]


def make_take(camera: Camera, *, start: float, size: int, is_over: bool = True) -> TakeFolder:
    """A take of one picture, with its row."""
    pk = str(uuid4())
    folders.of(camera.pk).mkdir(parents=True, exist_ok=True)
    folder = folder_of(camera.pk, pk)
    folder.make()
    (folder.path / "pictures" / "1.jpg").write_bytes(b"x" * size)
    state = Recording.State.ENCODING if is_over else Recording.State.RECORDING
    at = datetime.fromtimestamp(start, UTC)
    Recording.objects.create(pk=pk, camera=camera, state=state, start=at, end=at + LENGTH)
    folder.write(
        Take(
            id=pk,
            camera_id=camera.pk,
            reason="presence",
            is_unanalysed=False,
            start=start,
            end=start + 20,
            linked_until=start + 20,
            last_at=start + 20,
            max_people=1,
            is_confirmed=True,
            is_over=is_over,
            end_reason="over" if is_over else "",
        )
    )
    return folder
