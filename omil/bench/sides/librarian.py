"""Fills a unit with profiles, each with appearances in videos and a face; nothing of it is measured."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from accounts.models import Unit, User
from profiles import pictures
from profiles.models import Appearance, Face, Profile
from videos.models import Video

SPACE = uuid.UUID("5f0d5a3e-6c0b-4b9f-9c0f-0a3c7a6a9b11")
EMBEDDER, SIZE = "bench", 128
VIDEOS = 500  # That people are seen in.
BATCH = 5_000


def vectors(first: int, count: int) -> NDArray[np.float32]:
    """The faces of these profiles, the same each time; of length 1."""
    rows = np.random.default_rng(first).standard_normal((count, SIZE), np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def profile_id(number: int) -> uuid.UUID:
    return uuid.uuid5(SPACE, f"profile {number}")


class Measured:
    """All in the unit that the viewer's superuser sees."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}

    def run(self, *, profiles: int, videos: int) -> dict[str, Any]:
        self.unit, _is_new = Unit.objects.get_or_create(name="Bench")
        self.now = timezone.now()
        films = [
            Video(unit=self.unit, title=f"Bench {number}.mp4", state=Video.State.DONE, extension="mp4", duration_s=60)
            for number in range(max(VIDEOS, videos))
        ]
        Video.objects.bulk_create(films)
        for first in range(0, profiles, BATCH):
            with transaction.atomic():
                self._add(range(first, min(first + BATCH, profiles)), films, videos)
        return {"profiles": Profile.objects.count(), "users": User.objects.count()}

    def _add(self, numbers: range, films: list[Video], videos: int) -> None:
        people = [
            Profile(pk=profile_id(n), unit=self.unit, surname=f"Bench {n}", seen_at=self.now - timedelta(seconds=n))
            for n in numbers
        ]
        seen = [
            self._appearance(n, person, films[(n * videos + k) % len(films)], k)
            for n, person in zip(numbers, people, strict=True)
            for k in range(videos)
        ]
        rows = vectors(numbers.start, len(numbers))
        faces = [
            Face(appearance=one, embedder=EMBEDDER, vector=row.tobytes(), quality=1.0)
            for one, row in zip(seen[::videos], rows, strict=True)
        ]
        Profile.objects.bulk_create(people)
        Appearance.objects.bulk_create(seen)
        Face.objects.bulk_create(faces)

    def _appearance(self, number: int, person: Profile, film: Video, which: int) -> Appearance:
        pk = uuid.uuid5(person.pk, f"appearance {which}")
        return Appearance(
            id=pk,
            unit=self.unit,
            profile=person,
            video=film,
            first_s=1.0,
            last_s=9.0,
            first_at=person.seen_at,
            last_at=person.seen_at,
            tracks=[1],
            parts=[str(pk)],
            crop=pictures.name_of(person.pk, pk),
            quality=0.9,
        )
