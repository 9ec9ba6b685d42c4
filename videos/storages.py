"""The store of videos and their results, by the site's setting."""

from __future__ import annotations

from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import Storage, storages

from recordings import stores


def store() -> Storage:
    return storages["videos"]


def put(name: str, path: Path) -> None:
    """A file of this machine into the store, over what is there. Raises StoreError, and FileNotFoundError for it."""
    with path.open("rb") as file:
        stores.put(store(), name, File(file))


def local_path(name: str) -> Path | None:
    """The file itself where the store is a local disk."""
    return None if stores.far(store()) else Path(store().path(name))
