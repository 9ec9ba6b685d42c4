"""Whether the folder of clips can be written, and is the one it was: asked by media, keeping, /healthz and the pages.

The folder carries an identity that the data folder remembers, so that a missing mount is noticed and nothing fills the
disk below it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from django.conf import settings

Problem = Literal["", "missing", "full", "read_only"]

IDENTITY = ".omil-storage"
REMEMBERED = "recordings-storage.json"
CACHED_S = 2.0
FULL = 0.75  # Of the floor: keeping has room to work before clips are no longer written.


@dataclass(frozen=True, slots=True)
class Storage:
    """The state of the folder of clips. With a problem nothing is written there; clips wait where they are taken."""

    problem: Problem
    free_bytes: int = 0
    total_bytes: int = 0


_cached: dict[Path, tuple[float, Storage]] = {}


def root() -> Path:
    return Path(settings.RECORDINGS_DIR)


def state() -> Storage:
    """Cached for two seconds."""
    looked_at, storage = _cached.get(root(), (-CACHED_S, Storage("")))
    if not 0 <= time.monotonic() - looked_at < CACHED_S:
        storage = look()
        _cached[root()] = time.monotonic(), storage
    return storage


def ready_to_write() -> bool:
    """Looks afresh: what is asked just before writing must not be two seconds old."""
    return not look().problem


def look() -> Storage:
    try:
        if not _is_ours():
            return Storage("missing")
        usage = os.statvfs(root())
    except OSError as error:
        return Storage(_problem_of(error))
    free = usage.f_bavail * usage.f_frsize
    return Storage(_problem(usage, free), free, usage.f_blocks * usage.f_frsize)


def _problem(usage: os.statvfs_result, free: int) -> Problem:
    if usage.f_flag & os.ST_RDONLY or not os.access(root(), os.W_OK | os.X_OK):
        return "read_only"
    has_no_names_left = usage.f_files > 0 and usage.f_favail == 0
    return "full" if free < FULL * settings.RECORDINGS_FREE_BYTES or has_no_names_left else ""


def _problem_of(error: OSError) -> Problem:
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return "read_only"
    return "full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "missing"


# --- Identity ---


def _is_ours() -> bool:
    """Whether the folder carries the identity we know; the first look at a folder gives it one."""
    known = _remembered()
    if known is None:
        with _deciding():
            known = _remembered() or adopt()
    return _identity() == known


def adopt() -> str:
    """Takes the folder as it is now for ours: its identity, or a new one, is remembered."""
    root().mkdir(parents=True, exist_ok=True)
    identity = _identity()
    if not identity:
        identity = str(uuid.uuid4())
        _replace(root() / IDENTITY, f"{identity}\n")
    _replace(_memory(), json.dumps({"path": str(root()), "identity": identity}))
    return identity


def _memory() -> Path:
    return Path(settings.DATA_DIR) / REMEMBERED


def _remembered() -> str | None:
    """None where none is remembered for this path: another path is another storage, chosen on purpose."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        memory = json.loads(_memory().read_text(encoding="utf-8"))
        if memory["path"] == str(root()):
            return str(memory["identity"])
    return None


def _identity() -> str:
    with suppress(FileNotFoundError, NotADirectoryError, ValueError):
        return (root() / IDENTITY).read_text(encoding="utf-8").strip()
    return ""


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # An empty identity after a power cut would be another storage for good.
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


@contextmanager
def _deciding() -> Iterator[None]:
    """Two processes of a first start must not give the folder two identities."""
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    lock = os.open(settings.DATA_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
