"""Seals and what verifying finds: every change to file or row of a clip is said, and nothing is said of good ones."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from cameras.models import Camera
from recordings import evidence, keeping, storage
from recordings.models import Recording, Seal
from tests.recordings.shelf import file_of, put

pytestmark = pytest.mark.django_db(transaction=True)


def kinds() -> list[str]:
    return sorted(finding.kind for finding in evidence.verify())


def test_numbers_and_hashes_follow_each_other_per_camera(camera_x: Camera, camera_y: Camera) -> None:
    clips = [put(camera_x, days=3), put(camera_y, days=2), put(camera_x, days=1)]
    assert [clip.number for clip in clips] == [1, 1, 2]
    first, second = Seal.objects.filter(camera_key=camera_x.pk)
    clips[2].refresh_from_db()
    assert second.digest == evidence.digest_of(first.digest, second)
    assert evidence.verify() == []


def test_a_clip_is_sealed_once_and_never_as_other_bytes(camera_x: Camera) -> None:
    clip = put(camera_x)
    again = evidence.seal(clip, clip.sha256)
    assert (again.number, Seal.objects.count()) == (1, 1)
    with pytest.raises(evidence.AlreadySealedError, match=str(clip.pk)):
        evidence.seal(clip, "0" * 64)


def test_a_clip_that_is_not_ready_after_all_takes_no_number(camera_x: Camera) -> None:
    clip = put(camera_x, is_sealed=False)
    with pytest.raises(RuntimeError), transaction.atomic():
        evidence.seal(clip, "1" * 64)
        raise RuntimeError
    assert put(camera_x).number == 1


def test_one_changed_byte_is_found(camera_x: Camera) -> None:
    put(camera_x, days=1)
    clip = put(camera_x)
    content = bytearray(file_of(clip).read_bytes())
    content[50] ^= 1
    file_of(clip).write_bytes(content)
    (finding,) = evidence.verify()
    assert (finding.kind, finding.what) == ("changed", clip.path)


def test_a_missing_file_is_found(camera_x: Camera) -> None:
    file_of(put(camera_x)).unlink()
    assert kinds() == ["missing"]


@pytest.mark.parametrize("name", ["another.mp4", "120000Z-{id}.mp4", "120000Z-{own}.mp4", ".120000Z-{id}.mp4"])
def test_an_added_file_is_found(camera_x: Camera, name: str) -> None:
    """Also one that looks like a clip, one that takes the id of another, and an old one under a hidden name."""
    clip = put(camera_x, days=0.1)
    added = file_of(clip).with_name(name.format(id=uuid4(), own=clip.pk))
    added.write_bytes(b"added")
    hidden_since = time.time() - 2 * 3_600 if name.startswith(".") else time.time()
    os.utime(added, (hidden_since, hidden_since))
    (finding,) = evidence.verify()
    assert (finding.kind, finding.what) == ("added", str(added.relative_to(settings.RECORDINGS_DIR)))


def test_a_clip_in_the_making_is_no_finding(camera_x: Camera) -> None:
    put(camera_x)
    clip = put(camera_x, is_sealed=False, state=Recording.State.ENCODING)
    Recording.objects.filter(pk=clip.pk).update(path="")
    file_of(clip).with_name(f".{file_of(clip).name}").write_bytes(b"half")
    assert evidence.verify() == []


def test_a_row_that_nobody_removed_is_missed_and_its_file_stays(camera_x: Camera) -> None:
    clip = put(camera_x, days=1)
    put(camera_x)
    Recording.objects.filter(pk=clip.pk).delete()
    assert kinds() == ["row"]
    keeping.expire(time.time() + 10 * 3_600)
    assert file_of(clip).exists(), "evidence is not swept away"


@pytest.mark.parametrize(
    "change",
    [
        {"start": "2026-01-01T00:00Z"},  # Another time,
        {"end": "2026-01-01T00:00Z"},
        {"number": 7},  # another place in the chain,
        {"sha256": "0" * 64},  # another hash,
        {"path": "1/2026/03/10/120000Z-other.mp4"},  # another file.
    ],
)
def test_a_changed_row_is_found(camera_x: Camera, change: dict[str, object]) -> None:
    clip = put(camera_x)
    Recording.objects.filter(pk=clip.pk).update(**change)
    assert {"row", "chain"} & set(kinds())


def test_a_file_and_its_seal_changed_together_are_found_by_the_chain(camera_x: Camera) -> None:
    put(camera_x, days=2)
    clip = put(camera_x, days=1)
    put(camera_x)
    file_of(clip).write_bytes(b"other")
    sha256 = hashlib.sha256(b"other").hexdigest()
    Recording.objects.filter(pk=clip.pk).update(sha256=sha256)
    Seal.objects.filter(recording_id=clip.pk).update(sha256=sha256)
    assert kinds() == ["chain"]


def test_the_seal_of_a_clip_that_has_gone_cannot_be_changed_either(camera_x: Camera) -> None:
    clip = put(camera_x, days=1)
    put(camera_x)
    keeping.remove(clip, "by hand")
    assert kinds() == []
    Seal.objects.filter(recording_id=clip.pk).update(end="2026-01-01T00:00Z")
    assert kinds() == ["chain"]


def test_a_seal_taken_out_with_its_clip_is_found(camera_x: Camera) -> None:
    put(camera_x, days=2)
    clip = put(camera_x, days=1)
    put(camera_x)
    for row in (Recording.objects.filter(pk=clip.pk), Seal.objects.filter(recording_id=clip.pk)):
        row.delete()
    file_of(clip).unlink()
    assert "seal" in kinds()
    assert "chain" in kinds()


def test_a_ready_clip_without_a_seal_is_found(camera_x: Camera) -> None:
    put(camera_x, is_sealed=False)
    assert kinds() == ["seal"]


def test_what_was_removed_properly_is_no_finding_and_its_link_stays(camera_x: Camera) -> None:
    clip, last = put(camera_x, days=1), put(camera_x)
    assert keeping.remove(clip, "age")
    assert evidence.verify() == []
    sealed = Seal.objects.get(recording_id=clip.pk)
    assert (sealed.removed_because, sealed.removed_at is not None) == ("age", True)
    assert keeping.remove(last, "age")
    assert put(camera_x).number == 3, "the chain goes on after its last clip went"
    assert evidence.verify() == []


def test_a_deleted_camera_leaves_an_explained_chain(camera_x: Camera, camera_y: Camera) -> None:
    clip, other = put(camera_x), put(camera_y)
    key = camera_x.pk
    camera_x.delete()
    assert evidence.verify() == []
    keeping.expire(time.time() + 2 * 3_600)
    assert (file_of(clip).exists(), file_of(other).exists()) == (False, True)
    assert Seal.objects.get(camera_key=key).removed_because == "camera deleted"


def test_a_storage_that_is_away_is_one_finding(camera_x: Camera, tmp_path: Path) -> None:
    put(camera_x)
    Path(settings.RECORDINGS_DIR).rename(tmp_path / "away")
    assert kinds() == ["storage"]


def test_the_command_says_what_it_found_and_ends_with_an_error(
    camera_x: Camera, camera_y: Camera, capsys: pytest.CaptureFixture[str]
) -> None:
    put(camera_x)
    clip = put(camera_y)
    call_command("verify_recordings")
    assert "2 recordings are as they were sealed." in capsys.readouterr().out
    file_of(clip).unlink()
    with pytest.raises(CommandError, match="1 findings"):
        call_command("verify_recordings")
    assert f"missing: {clip.path}" in capsys.readouterr().out
    call_command("verify_recordings", camera=camera_x.slug)
    with pytest.raises(CommandError, match="no camera 'nowhere'"):
        call_command("verify_recordings", camera="nowhere")
    assert storage.state().problem == ""
