"""The only door by which recognised people come into the database: `record`, for one video or one live visit.

It holds the unit's lock, so that two videos that end at the same moment never make two profiles of one person. Made
again for the same source, as after a kill, it changes nothing: ids come from the source.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from profiles import gallery, pictures
from profiles.faces import Recipe, Vector
from profiles.match import Decision, Known
from profiles.models import Appearance, Confirmation, Face, Profile

logger = logging.getLogger(__name__)

MOST_FACES = 4  # Kept of an appearance that goes on all day; the best ones.


@dataclass(frozen=True, slots=True)
class Source:
    """Where people were seen: a video, or a visit before a camera, whose day has one appearance of each person."""

    key: UUID  # Of the video or the visit.
    video: UUID | None = None
    camera: int | None = None
    day: date | None = None

    def fits(self) -> Q:
        """The appearances of this source."""
        return Q(video=self.video) if self.video else Q(camera=self.camera, day=self.day)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """One person of a source, as the faces showed them."""

    key: str  # Within the source, the same each time.
    vector: Vector
    quality: float
    crop: bytes
    is_sure: bool = True  # Seen well enough for a profile of their own.
    first_s: float = 0.0
    last_s: float = 0.0
    first_at: datetime = field(default_factory=timezone.now)
    last_at: datetime = field(default_factory=timezone.now)
    tracks: tuple[int, ...] = ()
    seen_with: frozenset[str] = frozenset()  # Keys of others of the same source, who are thus somebody else.


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a newcomer: `profile` is None while people are asked, and for a face that was not good enough."""

    key: str
    verdict: str  # same, maybe, new or nobody
    profile: UUID | None
    appearance: UUID | None


def record(unit_id: int, source: Source, people: Sequence[Newcomer], *, embedder: str, recipe: Recipe) -> list[Placed]:
    """Finds each person's profile or makes one; one appearance per profile and source. In the order of `people`."""
    try:
        with transaction.atomic():
            version = gallery.locked(unit_id).version
            run = _Recording(unit_id, source, embedder, recipe, gallery.known(unit_id, embedder, version))
            return run.all(people)
    except BaseException:
        gallery.forget()  # It may hold faces that were never stored.
        raise


class _Recording:
    """One call of `record`, under the lock."""

    def __init__(self, unit_id: int, source: Source, embedder: str, recipe: Recipe, known: Known) -> None:
        self.unit_id, self.source, self.embedder, self.recipe, self.known = unit_id, source, embedder, recipe, known
        self.held: dict[str, UUID] = {}  # Which newcomer was found to be which profile.
        stored = Appearance.objects.filter(source.fits(), unit_id=unit_id)
        self.stored = {part: kept for kept in stored for part in kept.parts}

    def all(self, people: Sequence[Newcomer]) -> list[Placed]:
        placed = {one.key: again for one in people if (again := self._again(one))}
        left = [one for one in people if one.key not in placed]
        # The surest first: whoever is seen together with them cannot be the same profile.
        rated = [(-self._decide(one).similarity, one.key, one) for one in left]
        for _rate, key, one in sorted(rated, key=lambda row: row[:2]):
            placed[key] = self._place(one, self._decide(one))
        return [placed[one.key] for one in people]

    def _id(self, one: Newcomer) -> UUID:
        return uuid5(self.source.key, f"face {one.key}")

    def _again(self, one: Newcomer) -> Placed | None:
        """Made before: its profile stays what it is, whoever changed it since."""
        kept = self.stored.get(str(self._id(one)))
        if kept is None:
            return None
        if kept.profile_id:
            self.held[one.key] = kept.profile_id
        if one.quality >= kept.quality:  # Killed before it was written, it is written now.
            pictures.write(kept.crop, one.crop)
        return Placed(one.key, "same" if kept.profile_id else "maybe", kept.profile_id, kept.pk)

    def _decide(self, one: Newcomer) -> Decision:
        others = {self.held[key] for key in one.seen_with if key in self.held}
        return self.known.decide(one.vector, self.recipe, others)

    def _place(self, one: Newcomer, decision: Decision) -> Placed:
        if decision.verdict == "same":
            return self._add(one, decision)
        if not one.is_sure:
            return Placed(one.key, "nobody", None, None)
        if decision.verdict == "maybe":
            return self._ask(one, decision)
        profile = Profile(pk=uuid5(self._id(one), "profile"), unit_id=self.unit_id, seen_at=one.last_at)
        profile.save(force_insert=True)
        self.held[one.key] = profile.pk
        appearance = self._store(one, profile.pk, None)
        return Placed(one.key, "new", profile.pk, appearance.pk)

    def _add(self, one: Newcomer, decision: Decision) -> Placed:
        profile_id = decision.profile
        assert profile_id
        self.held[one.key] = profile_id
        kept = self._appearance_of(profile_id)
        if kept is None:
            kept = self._store(one, profile_id, decision.similarity)
        else:
            self._extend(kept, one)
        Profile.objects.filter(pk=profile_id, seen_at__lt=one.last_at).update(seen_at=one.last_at)
        return Placed(one.key, "same", profile_id, kept.pk)

    def _ask(self, one: Newcomer, decision: Decision) -> Placed:
        assert decision.profile
        appearance = self._store(one, None, decision.similarity)
        Confirmation.objects.create(
            appearance=appearance, candidate_id=decision.profile, similarity=decision.similarity
        )
        return Placed(one.key, "maybe", None, appearance.pk)

    def _appearance_of(self, profile_id: UUID) -> Appearance | None:
        return Appearance.objects.filter(self.source.fits(), profile_id=profile_id).first()

    def _store(self, one: Newcomer, profile_id: UUID | None, similarity: float | None) -> Appearance:
        id_ = self._id(one)
        appearance = Appearance(
            id=id_,
            unit_id=self.unit_id,
            profile_id=profile_id,
            video_id=self.source.video,
            camera_id=self.source.camera,
            day=self.source.day,
            first_s=one.first_s,
            last_s=one.last_s,
            first_at=one.first_at,
            last_at=one.last_at,
            tracks=list(one.tracks),
            parts=[str(id_)],
            crop=pictures.name_of(profile_id, id_),
            quality=one.quality,
            similarity=similarity,
        )
        pictures.write(appearance.crop, one.crop)
        appearance.save(force_insert=True)
        self._keep_face(appearance, one)
        return appearance

    def _extend(self, kept: Appearance, one: Newcomer) -> None:
        """The same person once more in the same source."""
        kept.first_s, kept.last_s = min(kept.first_s, one.first_s), max(kept.last_s, one.last_s)
        kept.first_at, kept.last_at = min(kept.first_at, one.first_at), max(kept.last_at, one.last_at)
        kept.tracks = sorted({*kept.tracks, *one.tracks})
        kept.parts = [*kept.parts, str(self._id(one))]
        if one.quality > kept.quality:
            kept.quality = one.quality
            pictures.write(kept.crop, one.crop)
        kept.save()
        if kept.faces.filter(embedder=self.embedder).count() < MOST_FACES:
            self._keep_face(kept, one)

    def _keep_face(self, appearance: Appearance, one: Newcomer) -> None:
        Face.objects.create(
            appearance=appearance, embedder=self.embedder, vector=one.vector.tobytes(), quality=one.quality
        )
