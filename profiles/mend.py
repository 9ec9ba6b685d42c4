"""What people put right: profiles merged and split, appearances moved, "not this person", and questions answered.

Each holds the unit's lock. A denied face stays denied: match.py never again takes it for that profile's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from profiles import audit, erase, gallery, pictures
from profiles.models import Appearance, Confirmation, Face, Negative, Profile, ProfileLook

Action = ProfileLook.Action
COPIED = ("surname", "name", "middle_name", "sex", "birth_date")  # From the other where the one that stays has none.


class Refused(ValueError):
    """It cannot be done, and the text says what."""


@contextmanager
def _held(unit_id: int) -> Iterator[None]:
    """A transaction with the unit's lock."""
    with transaction.atomic():
        gallery.locked(unit_id)
        yield


def merge(kept: Profile, other: Profile, user: User) -> Profile:
    """All of `other` becomes `kept`'s, and `other` goes."""
    if kept.pk == other.pk or kept.unit_id != other.unit_id:
        raise Refused("merge")
    with _held(kept.unit_id):
        kept, other = _fresh(kept), _fresh(other)
        for appearance in other.appearances.order_by("pk"):
            _give(appearance, kept)
        # What was said against either about the other's faces no longer holds.
        Negative.objects.filter(profile=kept, appearance__profile=kept).delete()
        _pass_on(other, kept)
        for field in COPIED:
            if not getattr(kept, field):
                setattr(kept, field, getattr(other, field))
        if other.notes:
            kept.notes = "\n\n".join(part for part in (kept.notes, other.notes) if part)[:4_000]
        if kept.listing == Profile.Listing.NONE or other.listing == Profile.Listing.WANTED:
            kept.listing = other.listing
        kept.seen_at = max(kept.seen_at, other.seen_at)
        kept.save()
        audit.note(user, Action.MERGED, other, f"into {kept.pk}")
        audit.note(user, Action.MERGED, kept, f"with {other.pk}")
        Profile.objects.filter(pk=other.pk).delete()
        gallery.changed(kept.unit_id)
    return kept


def split(profile: Profile, appearances: Collection[UUID], user: User) -> Profile:
    """Some of its appearances, not all, become a new profile's."""
    with _held(profile.unit_id):
        profile = _fresh(profile)
        going = list(profile.appearances.filter(pk__in=appearances))
        if not going or len(going) == profile.appearances.count():
            raise Refused("split")
        made = _new(profile.unit_id)
        for appearance in going:
            _give(appearance, made)
        _seen_again(profile, made)
        audit.note(user, Action.SPLIT, profile, f"{len(going)} appearances to {made.pk}")
        gallery.changed(profile.unit_id)
    return made


def move(before: Profile, appearances: Collection[UUID], to: Profile, user: User) -> int:
    """Some of its appearances, or all, to another profile of the unit; how many. One without any goes."""
    if before.pk == to.pk or before.unit_id != to.unit_id:
        raise Refused("move")
    with _held(to.unit_id):
        before, to = _fresh(before), _fresh(to)
        going = list(before.appearances.filter(pk__in=appearances))
        if not going:
            raise Refused("move")
        for appearance in going:
            Negative.objects.filter(profile=to, appearance=appearance).delete()
            _give(appearance, to)
        if before.is_anonymous and not before.appearances.exists():  # It goes, and all that was of it is `to`'s.
            _pass_on(before, to)
        _seen_again(before, to)
        audit.note(user, Action.MOVED, before, f"{len(going)} appearances to {to.pk}")
        audit.note(user, Action.MOVED, to, f"{len(going)} appearances from {before.pk}")
        erase.empty_ones({before.pk})
        gallery.changed(to.unit_id)
    return len(going)


def deny(appearance: Appearance, user: User) -> Profile:
    """Not this person: it becomes somebody new, and its face is never again taken for that profile's."""
    with _held(appearance.unit_id):
        appearance = Appearance.objects.select_related("profile").get(pk=appearance.pk)
        before = appearance.profile
        if before is None:
            raise Refused("deny")
        _remember(before, appearance)
        made = _new(appearance.unit_id)
        _give(appearance, made)
        _seen_again(before, made)
        audit.note(user, Action.DENIED, before, f"appearance to {made.pk}")
        gallery.changed(appearance.unit_id)
    return made


def answer(appearance: Appearance, user: User, *, is_it: bool) -> Profile:
    """To "is this that person?": it becomes the candidate's appearance, or somebody new's and is denied to them."""
    with _held(appearance.unit_id):
        asked = Confirmation.objects.select_related("candidate").filter(appearance=appearance).first()
        if asked is None:
            raise Refused("answer")  # Somebody else was faster.
        appearance = Appearance.objects.get(pk=appearance.pk)
        candidate = asked.candidate
        asked.delete()
        if is_it:
            profile = candidate
        else:
            _remember(candidate, appearance)
            profile = _new(appearance.unit_id)
        _give(appearance, profile)
        _seen_again(profile)
        audit.note(user, Action.CONFIRMED if is_it else Action.DENIED, candidate)
        gallery.changed(appearance.unit_id)
    return profile


def _fresh(profile: Profile) -> Profile:
    """Raises Refused where it has gone since."""
    found = Profile.objects.filter(pk=profile.pk).first()
    if found is None:
        raise Refused("gone")
    return found


def _new(unit_id: int) -> Profile:
    return Profile.objects.create(pk=uuid4(), unit_id=unit_id)


def _give(appearance: Appearance, to: Profile) -> None:
    """Makes it `to`'s; where `to` was seen in the same source already, the two become one, with the better picture."""
    same = Appearance.objects.filter(profile=to).exclude(pk=appearance.pk)
    if appearance.video_id:
        kept = same.filter(video=appearance.video_id).first()
    else:
        kept = same.filter(camera=appearance.camera, day=appearance.day).first()
    appearance.profile = to
    if kept is None:
        pictures.follow(appearance)
        appearance.save()
        return
    kept.first_s, kept.last_s = min(kept.first_s, appearance.first_s), max(kept.last_s, appearance.last_s)
    kept.first_at, kept.last_at = min(kept.first_at, appearance.first_at), max(kept.last_at, appearance.last_at)
    kept.tracks = sorted({*kept.tracks, *appearance.tracks})
    kept.parts = [*kept.parts, *(part for part in appearance.parts if part not in kept.parts)]
    if appearance.quality > kept.quality and (jpeg := pictures.read(appearance.crop)):
        kept.quality = appearance.quality
        pictures.write(kept.crop, jpeg)
    kept.save()
    Face.objects.filter(appearance=appearance).update(appearance=kept)
    known = set(Negative.objects.filter(appearance=kept).values_list("profile", "embedder"))
    for negative in Negative.objects.filter(appearance=appearance):  # The others go with their appearance.
        if (negative.profile_id, negative.embedder) not in known:
            Negative.objects.filter(pk=negative.pk).update(appearance=kept)
    transaction.on_commit(partial(pictures.remove, [appearance.crop]))
    Appearance.objects.filter(pk=appearance.pk).delete()


def _pass_on(before: Profile, to: Profile) -> None:
    """What was denied to one that goes is denied to `to`, and what was asked about it is asked about `to`."""
    known = set(to.negatives.values_list("appearance", "embedder"))
    for negative in before.negatives.exclude(appearance__profile=to):
        if (negative.appearance_id, negative.embedder) not in known:
            Negative.objects.filter(pk=negative.pk).update(profile=to)
    Confirmation.objects.filter(candidate=before).update(candidate=to)


def _remember(profile: Profile, appearance: Appearance) -> None:
    for face in appearance.faces.all():
        Negative.objects.get_or_create(
            profile=profile, appearance=appearance, embedder=face.embedder, defaults={"vector": face.vector}
        )


def _seen_again(*profiles: Profile) -> None:
    """When each was last seen, by the appearances that it has now."""
    for profile in profiles:
        last = Appearance.objects.filter(profile=profile).aggregate(last=Max("last_at"))["last"]
        if last:
            Profile.objects.filter(pk=profile.pk).update(seen_at=last)
