"""Seals clips: each clip's hash is chained to the one before it of the same camera. `verify` finds what does not fit.

Media workers seal, keeping notes what it removes, `manage.py verify_recordings` asks for the findings. A chain proves
that nothing inside it was changed, taken out or put in; whoever may write both database and files can cut off its end.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from cameras.models import Camera
from recordings.models import Recording, Seal


class AlreadySealedError(Exception):
    """The clip was sealed before, as other bytes."""


def seal(recording: Recording, sha256: str) -> Seal:
    """Appends the clip to its camera's chain and saves its number and hash; the same clip again changes nothing.

    Path, start and end must be final. To be called in the transaction that makes the clip READY.
    """
    with transaction.atomic():
        # Who seals next waits here: numbers have no gaps. Not a key lock, so that the camera's rows may still be added.
        Camera.objects.select_for_update(no_key=True).only("pk").get(pk=recording.camera_id)
        sealed = Seal.objects.filter(recording_id=recording.pk).first()
        if sealed is None:
            sealed = _append(recording, sha256)
        elif sealed.sha256 != sha256:
            raise AlreadySealedError(f"recording {recording.pk} is sealed as {sealed.sha256}, not {sha256}")
        recording.number, recording.sha256 = sealed.number, sha256
        recording.save(update_fields=["number", "sha256"])
    return sealed


def _append(recording: Recording, sha256: str) -> Seal:
    last = Seal.objects.filter(camera_key=recording.camera_id).order_by("-number").first()
    number = last.number + 1 if last else 1
    return Seal.objects.create(
        camera_key=recording.camera_id,
        number=number,
        recording_id=recording.pk,
        path=recording.path,
        sha256=sha256,
        digest=digest_of(last.digest if last else "", sha256, recording, number),
    )


def digest_of(previous: str, sha256: str, recording: Recording, number: int) -> str:
    parts = [previous, sha256, str(recording.camera_id), str(number), str(recording.pk)]
    parts += [_written(recording.start), _written(recording.end)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def note_removed(recording: Recording, because: str) -> None:
    """Keeps the clip's link in the chain, and says why the clip is gone."""
    sealed = Seal.objects.filter(recording_id=recording.pk, removed_at=None)
    sealed.update(removed_at=timezone.now(), removed_because=because[:40])
