"""Pictures of faces, in the storage of profiles: one per appearance, written over when a better one comes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.utils import timezone

from profiles.models import Appearance, Profile
from recordings import stores
from recordings.stores import StoreError

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
WAITING = "waiting"  # In the place of a profile's id.


def storage() -> Storage:
    return storages["profiles"]


def name_of(profile_id: UUID | None, appearance_id: UUID) -> str:
    return f"{profile_id or WAITING}/{appearance_id}.jpg"


def write(name: str, jpeg: bytes) -> None:
    """Whole, over what is there."""
    stores.put(storage(), name, ContentFile(jpeg))


def read(name: str) -> bytes | None:
    """None where it is not there. Raises StoreError where that cannot be known."""
    try:
        with storage().open(name) as file:
            return bytes(file.read())
    except StoreError:
        raise
    except OSError:
        return None


def follow(appearance: Appearance) -> None:
    """After its profile was changed and before it is saved: the picture goes to that profile's folder. The old one
    goes once this is sure. While the store is away, the picture stays where it is."""
    name = name_of(appearance.profile_id, appearance.pk)
    if name == appearance.crop:
        return
    try:
        jpeg = read(appearance.crop)
        if jpeg is not None:
            write(name, jpeg)
    except StoreError:
        return
    if jpeg is not None:
        transaction.on_commit(partial(remove, [appearance.crop]))
    appearance.crop = name


def remove(names: Iterable[str]) -> int:
    """Returns how many there were. One that cannot be removed now is tried again by the sweep."""
    count = 0
    for name in names:
        try:
            if name and storage().exists(name):
                storage().delete(name)
                count += 1
        except OSError:
            logger.warning("the picture of a face could not be removed; the sweep comes back for it", exc_info=True)
    return count


def count(names: Iterable[str]) -> int:
    """How many of them there are; all while that cannot be known, for none will stay."""
    found = 0
    for name in names:
        try:
            found += storage().exists(name)
        except OSError:
            found += bool(name)
    return found


def sweep() -> int:
    """Removes pictures that no appearance has, in folders of no profile: left when the store was away, or by a kill."""
    try:
        folders = storage().listdir("")[0]
    except FileNotFoundError:
        return 0
    ids = {folder: _id_of(folder) for folder in folders}
    known = set(Profile.objects.filter(pk__in=[id_ for id_ in ids.values() if id_]).values_list("pk", flat=True))
    removed = 0
    for folder in (folder for folder, id_ in ids.items() if id_ not in known):
        names = [f"{folder}/{name}" for name in storage().listdir(folder)[1]]
        kept = set(Appearance.objects.filter(crop__in=names).values_list("crop", flat=True))
        removed += remove(name for name in names if name not in kept and _is_old(name))
    return removed


def _id_of(folder: str) -> UUID | None:
    try:
        return UUID(folder)
    except ValueError:
        return None


def _is_old(name: str) -> bool:
    """A picture is there before its row."""
    try:
        return timezone.now() - storage().get_modified_time(name) > FRESH
    except FileNotFoundError:
        return False
