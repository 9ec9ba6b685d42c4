"""Where a video's files lie: uploads and unfinished analyses in a local work folder, results in the storage."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings

from recordings import stores
from videos.storages import store

UPLOAD = "upload"  # In the work folder: the original until it is in the storage.
# Below the video's name in the storage, and while they are made in its work folder.
COPY, POSTER, PICTURES = "playable.mp4", "poster.jpg", "visits"
TRACKS, POSES = "tracks.jsonl", "poses.jsonl"
TRIES = 10
COPY_SUFFIX = ".copy"  # The playable copy is made in a folder of its own, beside the analysis.


def work_of(video_id: UUID) -> Path:
    return Path(settings.VIDEOS_WORK_DIR) / str(video_id)


def copy_work_of(video_id: UUID) -> Path:
    return Path(settings.VIDEOS_WORK_DIR) / f"{video_id}{COPY_SUFFIX}"


def upload_of(video_id: UUID) -> Path:
    return work_of(video_id) / UPLOAD


@contextmanager
def owned(folder: Path) -> Iterator[bool]:
    """Whether the folder is there and this process alone is at work in it: a kernel lock, which kill -9 frees."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield folder.exists()  # Removed while this process waited for the lock, it is nobody's.
    finally:
        os.close(handle)


def is_owned(folder: Path) -> bool:
    """Whether a process is at work in the folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def remove_work(video_id: UUID) -> None:
    for folder in (work_of(video_id), copy_work_of(video_id)):
        remove_work_folder(folder)


def remove_work_folder(folder: Path) -> None:
    for _try in range(TRIES):  # Its owner may write one more file before it learns that the folder goes.
        if not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)


def work_ids() -> set[UUID]:
    """Of all work folders."""
    found: set[UUID] = set()
    with suppress(FileNotFoundError):
        for path in Path(settings.VIDEOS_WORK_DIR).iterdir():
            with suppress(ValueError):
                found.add(UUID(path.name.removesuffix(COPY_SUFFIX)))
    return found


def stored_ids() -> set[UUID]:
    """Of all videos of which anything lies in the storage."""
    found: set[UUID] = set()
    with suppress(FileNotFoundError):
        for name in store().listdir("")[0]:
            with suppress(ValueError):
                found.add(UUID(name))
    return found


def stored_names(folder: str) -> list[str]:
    """Every file in the storage below this folder."""
    try:
        folders, files = store().listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = [f"{folder}/{name}" for name in files]
    return names + [name for inner in folders for name in stored_names(f"{folder}/{inner}")]


def tidy() -> None:
    if files := stores.far(store()):
        files.tidy()


def remove_stored(video_id: UUID) -> None:
    for name in stored_names(str(video_id)):
        store().delete(name)
