"""Seals clips: each clip's hash is chained to the one before it of the same camera. `verify` finds what does not fit.

Media workers seal, keeping notes what it removes, `manage.py verify_recordings` asks for the findings. A chain proves
that nothing inside it was changed, taken out or put in; whoever may write both database and files can cut off its end.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from django.db import transaction
from django.utils import timezone

from cameras.models import Camera
from recordings import storage, sweep
from recordings.models import Recording, Seal

FindingKind = Literal["storage", "changed", "missing", "added", "row", "seal", "chain"]
CHUNK = 500


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
    sealed = Seal(
        camera_key=recording.camera_id,
        number=number,
        recording_id=recording.pk,
        path=recording.path,
        sha256=sha256,
        start=recording.start,
        end=recording.end,
    )
    sealed.digest = digest_of(last.digest if last else "", sealed)
    sealed.save(force_insert=True)
    return sealed


def digest_of(previous: str, sealed: Seal) -> str:
    """Of all that a seal says, so that the chain can be followed also where the clip itself is gone."""
    parts = [previous, sealed.sha256, str(sealed.camera_key), str(sealed.number), str(sealed.recording_id)]
    parts += [sealed.path, _written(sealed.start), _written(sealed.end)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def note_removed(recording: Recording, because: str) -> None:
    """Keeps the clip's link in the chain, and says why the clip is gone."""
    sealed = Seal.objects.filter(recording_id=recording.pk, removed_at=None)
    sealed.update(removed_at=timezone.now(), removed_because=because[:40])


# --- Verifying ---


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit: `changed`, `missing` or `added` is a file; a `row` or `seal` is gone or not as it was sealed;
    a `chain` link does not follow from the one before it; the whole `storage` is away."""

    kind: FindingKind
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}: {self.detail}"


def verify(camera: Camera | None = None) -> list[Finding]:
    """Reads every clip of one camera, or of all. Empty where all is as it was sealed."""
    if storage.look().problem == "missing":
        return [Finding("storage", str(storage.root()), "it is not there, or not the one it was")]
    seals, rows = Seal.objects.all(), Recording.objects.all()
    if camera:
        seals, rows = seals.filter(camera_key=camera.pk), rows.filter(camera=camera)
    keys = list(seals.order_by("camera_key").values_list("camera_key", flat=True).distinct())
    found = [finding for key in keys for finding in _look_along(key)]
    for row in rows.filter(state=Recording.State.READY).exclude(pk__in=seals.values("recording_id")):
        found.append(Finding("seal", row.path, f"recording {row.pk} has none"))
    return found + list(_added(camera))


def _look_along(key: int) -> Iterator[Finding]:
    """One camera's chain, in the order of its numbers."""
    has_camera = Camera.objects.filter(pk=key).exists()
    last: Seal | None = None
    seals = list(Seal.objects.filter(camera_key=key).order_by("number"))
    for at in range(0, len(seals), CHUNK):
        chunk = seals[at : at + CHUNK]
        rows = Recording.objects.in_bulk([sealed.recording_id for sealed in chunk])
        for sealed in chunk:
            expected = last.number + 1 if last else 1
            if sealed.number != expected:
                yield Finding("seal", f"camera {key}", f"number {sealed.number} follows where {expected} should be")
            if sealed.digest != digest_of(last.digest if last else "", sealed):
                yield Finding("chain", sealed.path, f"number {sealed.number} of camera {key} was changed")
            row = rows.get(sealed.recording_id)
            yield from _look_at_row(sealed, row)
            if sealed.removed_at is None and has_camera:
                yield from _look_at_file(sealed, row)
            last = sealed


def _look_at_row(sealed: Seal, row: Recording | None) -> Iterator[Finding]:
    if row is None:
        return
    if sealed.removed_at is not None:
        yield Finding("row", sealed.path, f"recording {row.pk} is there although it was noted as removed")
    said = (row.number, row.sha256, row.path, row.start, row.end)
    if said != (sealed.number, sealed.sha256, sealed.path, sealed.start, sealed.end):
        yield Finding("row", sealed.path, f"recording {row.pk} has another number, hash, file or time than its seal")


def _look_at_file(sealed: Seal, row: Recording | None) -> Iterator[Finding]:
    """Reads the file; what was removed while we looked is no finding."""
    finding = None
    try:
        with (storage.root() / sealed.path).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 != sealed.sha256:
            finding = Finding("changed", sealed.path, f"its hash is {sha256}, sealed was {sealed.sha256}")
    except OSError as error:
        finding = Finding("missing", sealed.path, str(error.strerror))
    if finding is None and row is not None:
        return
    if Seal.objects.filter(pk=sealed.pk, removed_at=None).exists():
        if row is None:
            yield Finding("row", sealed.path, f"recording {sealed.recording_id} is gone and nobody removed it")
        if finding:
            yield finding


def _added(camera: Camera | None) -> Iterator[Finding]:
    top = storage.root() / str(camera.pk) if camera else storage.root()
    for folder, names in sweep.walk():
        if not folder.is_relative_to(top):
            continue
        for name in sweep.strangers(folder, names):
            if not _is_in_the_making(folder / name):
                yield Finding("added", str((folder / name).relative_to(storage.root())), "it belongs to no recording")


def _is_in_the_making(path: Path) -> bool:
    """Media workers write under a hidden name first; also what has just gone is nothing to speak of."""
    try:
        return path.name.startswith(".") and time.time() - path.stat().st_mtime < sweep.YOUNG_S
    except FileNotFoundError:
        return True
