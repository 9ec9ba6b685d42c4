"""The faces that a unit knows, kept in this process and brought up to date from the database; and the unit's lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import F, OuterRef, QuerySet, Subquery, UUIDField
from numpy.typing import NDArray

from profiles.match import Known
from profiles.models import Appearance, Face, Gallery, Negative

BATCH = 20_000


@dataclass(slots=True)
class _Kept:
    version: int = -1
    last_face: int = 0
    known: Known = field(default_factory=Known)


_kept: dict[tuple[int, str], _Kept] = {}
_lock = threading.Lock()


def locked(unit_id: int) -> Gallery:
    """Within a transaction: until its end nobody else changes what the unit knows.

    SQLite's transactions are exclusive from their beginning.
    """
    Gallery.objects.get_or_create(unit_id=unit_id)
    return Gallery.objects.select_for_update().get(unit_id=unit_id)


def changed(unit_id: int) -> None:
    """A face was moved or has gone, or one was denied: every process reads all of them again. Faces that are only
    added are found without."""
    Gallery.objects.filter(unit_id=unit_id).update(version=F("version") + 1)


def known(unit_id: int, embedder: str, version: int | None = None) -> Known:
    """Up to date as of now. Not to be kept: another call may add to it."""
    if version is None:
        version = Gallery.objects.filter(unit_id=unit_id).values_list("version", flat=True).first() or 0
    with _lock:
        kept = _kept.get((unit_id, embedder))
        if kept is None or kept.version != version:
            kept = _kept[unit_id, embedder] = _Kept(version)
            _add_negatives(kept, unit_id, embedder)
        _add_faces(kept, unit_id, embedder)
        return kept.known


def forget() -> None:
    """Drops what this process keeps: after a transaction that was rolled back, and in tests."""
    with _lock:
        _kept.clear()


def _add_faces(kept: _Kept, unit_id: int, embedder: str) -> None:
    """In the order of their keys: within a unit, whose lock their maker held, a later one has a higher key."""
    # Not by a join: a database that begins with the unit's appearances sorts all of them to find that none is new.
    of_unit = Appearance.objects.filter(pk=OuterRef("appearance_id"), unit_id=unit_id)
    owner = Subquery(of_unit.values("profile"), output_field=UUIDField())
    faces = Face.objects.annotate(owner=owner).filter(embedder=embedder, owner__isnull=False).order_by("pk")
    while rows := list(faces.filter(pk__gt=kept.last_face).values_list("owner", "vector", "pk")[:BATCH]):
        kept.known.add([row[0] for row in rows], _stacked([row[1] for row in rows]))
        kept.last_face = rows[-1][2]
        if len(rows) < BATCH:
            break


def _add_negatives(kept: _Kept, unit_id: int, embedder: str) -> None:
    found: QuerySet[Negative, Any] = Negative.objects.filter(profile__unit_id=unit_id, embedder=embedder)
    rows = list(found.order_by("pk").values_list("profile", "vector"))
    if rows:
        kept.known.add([row[0] for row in rows], _stacked([row[1] for row in rows]), denied=True)


def _stacked(vectors: list[Any]) -> NDArray[np.float32]:
    length = len(bytes(vectors[0]))
    return np.frombuffer(b"".join(bytes(vector) for vector in vectors), np.float32).reshape(-1, length // 4)
