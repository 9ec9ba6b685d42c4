"""Takes faces away: of a profile, of a deleted video or camera, or when old. Everything held goes, files too."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from profiles import audit, gallery, pictures
from profiles.models import Appearance, Confirmation, Face, Negative, Profile, ProfileLook

logger = logging.getLogger(__name__)

BATCH = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """What went with a profile."""

    appearances: int = 0
    pictures: int = 0
    faces: int = 0
    negatives: int = 0
    questions: int = 0

    def __str__(self) -> str:
        return (
            f"appearances {self.appearances}, pictures {self.pictures}, vectors {self.faces}, "
            f"negative examples {self.negatives}, questions {self.questions}"
        )


def profile(found: Profile, user: User | None, why: str = "") -> Erased:
    """Erases a profile with its pictures, vectors and links; an entry without a name stays that says so."""
    with transaction.atomic():
        gallery.locked(found.unit_id)
        # Appearances that wait to be confirmed as this person show them, too.
        own = Appearance.objects.filter(profile=found) | Appearance.objects.filter(confirmation__candidate=found)
        own = Appearance.objects.filter(pk__in=list(own.values_list("pk", flat=True)))
        names = list(own.values_list("crop", flat=True))
        erased = Erased(
            appearances=len(names),
            pictures=pictures.count(names),
            faces=Face.objects.filter(appearance__in=own).count(),
            negatives=Negative.objects.filter(profile=found).count()
            + Negative.objects.filter(appearance__in=own).exclude(profile=found).count(),
            questions=Confirmation.objects.filter(candidate=found).count(),
        )
        audit.note(user, ProfileLook.Action.ERASED, found, f"{why}: {erased}" if why else str(erased))
        own.delete()
        found.delete()
        gallery.changed(erased_unit := found.unit_id)
        transaction.on_commit(partial(pictures.remove, names))
    logger.info("unit %d: a profile was erased: %s", erased_unit, erased)
    return erased


def source(unit_id: int, *, video: UUID) -> None:
    """A video goes: its appearances with it, and profiles that nothing else is known of."""
    with transaction.atomic():
        gallery.locked(unit_id)
        appearances(Appearance.objects.filter(unit_id=unit_id, video_id=video), unit_id)


def camera(camera_id: int) -> None:
    """A camera goes: whom it saw with it, and profiles that nothing else is known of."""
    seen = Appearance.objects.filter(camera=camera_id)
    for unit_id in list(seen.order_by().values_list("unit_id", flat=True).distinct()):
        with transaction.atomic():
            gallery.locked(unit_id)
            appearances(seen.filter(unit_id=unit_id), unit_id)


def appearances(going: QuerySet[Appearance], unit_id: int) -> int:
    """Within a transaction that holds the unit's lock. Returns how many went."""
    rows = list(going.values_list("pk", "profile_id", "crop"))
    if not rows:
        return 0
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        Appearance.objects.filter(pk__in=[row[0] for row in batch]).delete()
        empty_ones({row[1] for row in batch if row[1]})
    gallery.changed(unit_id)
    transaction.on_commit(partial(pictures.remove, [row[2] for row in rows]))
    return len(rows)


def empty_ones(profile_ids: set[UUID]) -> None:
    """A profile without an appearance of which nobody wrote anything says nothing any more. Its questions become new
    people's, or rather: they go with it, as the face that they compare with has."""
    empty = Profile.objects.filter(pk__in=profile_ids, appearances__isnull=True)
    going = [found.pk for found in empty if found.is_anonymous]
    if not going:
        return
    waiting = Appearance.objects.filter(confirmation__candidate__in=going)
    names = list(waiting.values_list("crop", flat=True))
    Appearance.objects.filter(pk__in=list(waiting.values_list("pk", flat=True))).delete()
    transaction.on_commit(partial(pictures.remove, names))
    Profile.objects.filter(pk__in=going).delete()


def expire(now: float) -> int:
    """Faces last seen FACES_DAYS ago; people on the wanted list stay."""
    before = datetime.fromtimestamp(now, UTC) - timedelta(days=settings.FACES_DAYS)
    count = 0
    old = Appearance.objects.filter(last_at__lt=before).exclude(profile__listing=Profile.Listing.WANTED)
    for unit_id in list(old.order_by().values_list("unit_id", flat=True).distinct()):
        while True:
            with transaction.atomic():
                gallery.locked(unit_id)
                batch = list(old.filter(unit_id=unit_id).values_list("pk", flat=True)[:BATCH])
                appearances(Appearance.objects.filter(pk__in=batch), unit_id)
            count += len(batch)
            if len(batch) < BATCH:
                break
    if count:
        logger.info("%d faces last seen before %s have expired", count, before.date())
    return count
