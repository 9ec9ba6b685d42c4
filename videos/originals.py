"""The uploaded file itself: taken from the work folder into the storage, and where to read it from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.core.files import File

from recordings import stores
from videos import places
from videos.models import Video
from videos.storages import local_path, store

READ_BYTES = 1_048_576


class LostError(Exception):
    """The original is nowhere."""


class MovedFile(File):  # type: ignore[type-arg]  # Generic to the stubs only.
    """A file that a local storage takes by renaming it instead of copying it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def take_in(video: Video, work: Path) -> None:
    """Puts the original into the storage, once; where that is no local disk, the work folder keeps it to read from."""
    upload = work / places.UPLOAD
    if not upload.exists():
        return
    if not video.sha256:
        video.sha256 = _digest(upload)
        Video.objects.filter(pk=video.pk).update(sha256=video.sha256)
    if not _is_stored(video):
        with upload.open("rb") as file:
            stores.put(store(), video.original_name, MovedFile(file, name=str(upload)))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_stored(video: Video) -> bool:
    files = store()
    return files.exists(video.original_name) and files.size(video.original_name) == video.size


def local(video: Video) -> Path | None:
    """The original as a file of this machine, wherever it is by now; None where it lies elsewhere."""
    upload = places.upload_of(video.pk)
    if upload.exists():
        return upload
    path = local_path(video.original_name)
    return path if path and path.exists() else None


def original_of(video: Video, folder: Path) -> Path:
    """A file to read it from; one that lies elsewhere is fetched into this folder. Raises LostError and StoreError."""
    if path := local(video):
        return path
    files = stores.far(store())
    if files is None:
        raise LostError
    fetched = folder / places.UPLOAD
    fresh = fetched.with_name(f".{fetched.name}")
    try:
        files.fetch(video.original_name, fresh)
    except FileNotFoundError:
        raise LostError from None
    fresh.replace(fetched)
    return fetched
