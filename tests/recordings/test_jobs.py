"""A take becomes a clip whatever dies on the way: with its row, its seal and its file, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from pytest_django import Settings

from cameras.models import Camera
from recordings import announce, bell, export, jobs, rows, storage, takes
from recordings.models import Recording, Seal
from recordings.parts import Parts
from recordings.takes import Take, TakeFolder
from recordings.worker import stopping
from tests.recordings import takings
from tests.recordings.takings import IRREGULAR_S, START

pytestmark = pytest.mark.django_db
State = Recording.State


@pytest.fixture(autouse=True)
def quick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CLIP_PRESET = "ultrafast"
    monkeypatch.setattr(jobs, "PART_S", 5.0)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What viewers were told: event and state; and nobody rings or answers a bell."""
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(announce, "recording", lambda row, event: heard.append((event, row.state)))
    monkeypatch.setattr(bell, "answered", lambda _take_id: None)
    return heard


Taken = Callable[..., TakeFolder]


@pytest.fixture
def taken(camera_x: Camera) -> Taken:
    """Makes a take as the recorder leaves it."""

    def make(at_s: tuple[float, ...] = IRREGULAR_S, **changes: object) -> TakeFolder:
        take = Take(
            id=str(uuid4()),
            camera_id=camera_x.pk,
            reason="presence",
            is_unanalysed=False,
            start=START,
            end=START + 13,
            linked_until=START + 13.1,
            last_at=START + at_s[-1] if at_s else 0,
            max_people=2,
            is_confirmed=True,
            is_over=True,
            end_reason="over",
        )
        take = replace(take, **changes)  # type: ignore[arg-type]
        folder = takes.folder_of(camera_x.pk, take.id)
        folder.make()
        takings.film(folder.path / "pictures", at_s)
        folder.write(take)
        (rows.finish if take.is_over else rows.save)(take, first_at=START)
        return folder

    return make


def encode(folder: TakeFolder) -> None:
    jobs.encode(folder.camera_id, folder.id)


def files(settings: Settings) -> list[str]:
    """Below the storage, beside its identity."""
    found = (path for path in Path(settings.RECORDINGS_DIR).rglob("*") if path.is_file())
    return sorted(path.name for path in found if path.name != storage.IDENTITY)


def assert_ready(folder: TakeFolder, settings: Settings) -> Recording:
    """One clip, its row and its seal, and nothing else anywhere."""
    row = Recording.objects.get()
    assert row.state == State.READY
    assert row.frames == len(IRREGULAR_S)
    assert row.start.timestamp() == pytest.approx(START)
    assert row.end.timestamp() == pytest.approx(START + IRREGULAR_S[-1])
    assert (row.width, row.height, row.max_people, row.end_reason) == (160, 120, 2, "over")
    sealed = Seal.objects.get()
    assert (sealed.recording_id, sealed.sha256, sealed.path) == (row.pk, row.sha256, row.path)
    stem = Path(row.path).stem
    assert files(settings) == [f"{stem}.jpg", f"{stem}.mp4", f"{stem}.strip.jpg"]
    assert not folder.path.exists()
    told = takings.probe(Path(settings.RECORDINGS_DIR) / row.path)
    assert takings.seconds(told) == pytest.approx(IRREGULAR_S, abs=0.001)
    assert int(told["format"]["size"]) == row.size
    return row


def test_a_take_that_is_over_becomes_a_clip(taken: Taken, settings: Settings, told: list[tuple[str, str]]) -> None:
    folder = taken()
    encode(folder)
    row = assert_ready(folder, settings)
    assert row.pk == UUID(folder.id)
    assert told[-1] == ("ready", "ready")


def test_a_second_ring_finds_nothing_to_do(taken: Taken, settings: Settings) -> None:
    folder = taken()
    encode(folder)
    encode(folder)
    assert_ready(folder, settings)


def test_an_open_take_grows_by_whole_parts(taken: Taken, settings: Settings) -> None:
    folder = taken(is_over=False, linked_until=START + 13.1)
    encode(folder)
    assert Parts(folder.parts).read().next_number == 2
    assert len(folder.pictures()) < len(IRREGULAR_S)
    assert Recording.objects.get().state == State.RECORDING
    folder.write(replace(folder.read(), is_over=True))
    encode(folder)
    assert_ready(folder, settings)


def test_a_take_that_may_come_to_nothing_is_left_alone(taken: Taken) -> None:
    folder = taken(is_over=False, is_confirmed=False)
    encode(folder)
    assert len(folder.pictures()) == len(IRREGULAR_S)
    assert not Parts(folder.parts).files()


def test_a_take_that_is_gone_is_no_error(taken: Taken) -> None:
    folder = taken()
    folder.remove()
    encode(folder)
    assert Recording.objects.get().state == State.ENCODING  # Keeping finds it.


def test_only_one_worker_is_at_a_take(taken: Taken, settings: Settings) -> None:
    folder = taken()
    with folder.owned() as is_owner:
        assert is_owner
        encode(folder)
        assert len(folder.pictures()) == len(IRREGULAR_S)
    encode(folder)
    assert_ready(folder, settings)


@pytest.mark.parametrize("at_s", [(), (0.0, 0.2)])
def test_a_clip_without_pictures_is_none(
    taken: Taken, settings: Settings, told: list[tuple[str, str]], at_s: tuple[float, ...]
) -> None:
    folder = taken(at_s)
    for path in folder.pictures():
        path.write_bytes(b"\xff\xd8\xff nothing")
    encode(folder)
    assert not Recording.objects.exists()
    assert not Seal.objects.exists()
    assert not folder.path.exists()
    assert files(settings) == []
    assert told[-1][0] == "removed"


def test_parts_that_are_all_spoilt_make_the_clip_a_failed_one(taken: Taken, settings: Settings) -> None:
    folder = taken(is_over=False)
    encode(folder)
    for path in Parts(folder.parts).files():
        path.write_bytes(b"")
    for path in folder.pictures():
        path.unlink()
    folder.write(replace(folder.read(), is_over=True))
    encode(folder)
    assert Recording.objects.get().state == State.FAILED
    assert not folder.path.exists()
    assert files(settings) == []


def test_without_its_storage_a_clip_waits_and_is_finished_later(
    taken: Taken, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = taken()
    with monkeypatch.context() as patched:
        patched.setattr(storage, "ready_to_write", lambda: False)
        encode(folder)
    assert Recording.objects.get().state == State.ENCODING
    assert not folder.pictures()  # Its parts take less room than its pictures did.
    assert files(settings) == []
    encode(folder)
    assert_ready(folder, settings)


def test_what_a_user_kept_meanwhile_stays_kept(
    taken: Taken, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = taken()
    real = storage.ready_to_write

    def keep_meanwhile() -> bool:
        return real() and bool(Recording.objects.update(is_kept=True))

    monkeypatch.setattr("recordings.finish._sha256", _before("recordings.finish._sha256", keep_meanwhile))
    encode(folder)
    assert assert_ready(folder, settings).is_kept


def test_a_clip_deleted_while_it_is_finished_leaves_nothing(
    taken: Taken, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = taken()
    delete = lambda: Recording.objects.all().delete()  # noqa: E731
    monkeypatch.setattr("recordings.finish._sha256", _before("recordings.finish._sha256", delete))
    encode(folder)
    assert files(settings) == []
    assert not folder.path.exists()
    assert not Seal.objects.exists()


def test_a_take_whose_row_is_missing_gets_it_again(taken: Taken, settings: Settings) -> None:
    """Somebody has put yesterday's database in place."""
    folder = taken()
    Recording.objects.all().delete()
    encode(folder)
    assert_ready(folder, settings)


@pytest.mark.django_db(transaction=True)  # Whether the camera is there is asked at the end of a transaction.
def test_a_take_of_a_deleted_camera_goes(taken: Taken, settings: Settings, camera_x: Camera) -> None:
    folder = taken()
    camera_x.delete()
    encode(folder)
    assert not folder.path.exists()
    assert files(settings) == []


class Killed(BaseException):
    """The process ends here."""


def _before(name: str, act: Callable[[], object]) -> Callable[..., object]:
    real = resolve_name(name)

    def doing(*arguments: object, **options: object) -> object:
        act()
        return real(*arguments, **options)

    return doing


def _die() -> None:
    raise Killed


@pytest.mark.parametrize(
    "killed_before",
    [
        "recordings.encode._sync",  # A part is half written.
        "recordings.parts.Parts.write",  # It stands beside a state that knows nothing of it.
        "recordings.encode.drop",  # Its pictures are still linked.
        "recordings.finish.join",
        "recordings.poster.make",  # The clip is there under its temporary name.
        "recordings.poster.strip_of",
        "recordings.finish._sha256",
        "recordings.clips._fill",  # It stands under its name, but nobody knows of it.
        "recordings.evidence.seal",
        "recordings.announce.recording",  # It is ready, but its take is still there.
        "recordings.takes.TakeFolder.remove",
    ],
)
def test_killed_at_any_step_the_clip_is_there_in_the_end_and_nothing_else(
    taken: Taken, settings: Settings, monkeypatch: pytest.MonkeyPatch, killed_before: str
) -> None:
    folder = taken()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(killed_before, _before(killed_before, _die))
        encode(folder)
    assert folder.path.exists()
    encode(folder)
    assert_ready(folder, settings)


def test_a_database_that_is_away_costs_nothing(
    taken: Taken, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("the database is away")

    folder = taken()
    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr("recordings.evidence.seal", _before("recordings.evidence.seal", away))
        encode(folder)
    assert Recording.objects.get().state == State.ENCODING
    encode(folder)
    assert_ready(folder, settings)


def test_told_to_stop_a_worker_leaves_the_rest_for_later(taken: Taken, settings: Settings) -> None:
    folder = taken()
    stopping.set()
    try:
        encode(folder)
    finally:
        stopping.clear()
    assert folder.pictures()
    encode(folder)
    assert_ready(folder, settings)


@pytest.mark.parametrize("name", [bell.ENCODE_JOB, export.JOB])
def test_the_jobs_that_are_rung_by_name_are_there(name: str) -> None:
    assert callable(resolve_name(name))
