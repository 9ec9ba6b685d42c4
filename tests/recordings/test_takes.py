from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cameras import folders
from cameras.ring import Ring
from recordings import takes
from recordings.takes import Take, TakeFolder
from tests.build import make_frame

TAKE = Take(
    id="a",
    camera_id=1,
    reason="presence",
    is_unanalysed=False,
    start=1_000.0,
    end=None,
    linked_until=1_002.5,
    last_at=1_002.0,
    max_people=2,
    is_confirmed=True,
    is_over=False,
    end_reason="",
)


@pytest.fixture
def folder() -> TakeFolder:
    made = takes.folder_of(1, "a")
    made.make()
    return made


@pytest.fixture
def ring() -> Ring:
    return Ring(folders.of(1) / "ring", max_bytes=10**6)


def test_what_is_written_is_read(folder: TakeFolder) -> None:
    folder.write(TAKE)
    assert folder.read() == TAKE
    over = replace(TAKE, end=1_002.0, is_over=True, end_reason="over")
    folder.write(over)
    assert folder.read() == over
    assert (folder.id, folder.camera_id) == ("a", 1)


def test_a_take_that_is_not_described_yet_cannot_be_read(folder: TakeFolder) -> None:
    with pytest.raises(FileNotFoundError):
        folder.read()


def test_pictures_are_the_rings_own_files_in_order_of_capture(folder: TakeFolder, ring: Ring) -> None:
    paths = [ring.put(make_frame(seq, captured_at=2_000.0 - seq)) for seq in range(3)]
    assert all(folder.link(path) for path in paths)
    assert [picture.name for picture in folder.pictures()] == sorted(path.name for path in paths)
    assert folder.pictures()[0].stat().st_ino == paths[2].stat().st_ino


def test_the_next_seconds_come_with_the_picture_that_ends_them(folder: TakeFolder, ring: Ring) -> None:
    for seq, at in enumerate([1_000.0, 1_004.0, 1_009.0, 1_031.0, 1_032.0]):
        folder.link(ring.put(make_frame(seq, captured_at=at)))
    names = [picture.name for picture in folder.pictures()]
    assert folder.first_name() == names[0]
    assert [picture.name for picture in folder.next_pictures(10, after="")] == names[:4]
    assert [picture.name for picture in folder.next_pictures(10, after=names[2])] == names[3:]
    assert folder.next_pictures(10, after=names[-1]) == []


def test_they_outlive_the_ring(folder: TakeFolder, ring: Ring) -> None:
    folder.link(ring.put(make_frame(1)))
    ring.prune(older_than=10**9)
    assert folder.pictures()[0].read_bytes() == b"picture 1"


def test_linking_twice_changes_nothing_and_a_picture_that_is_gone_is_passed_over(
    folder: TakeFolder, ring: Ring
) -> None:
    path = ring.put(make_frame(1))
    assert folder.link(path)
    assert folder.link(path)
    assert len(folder.pictures()) == 1
    assert not folder.link(Path(ring.folder / "gone.jpg"))


def test_of_a_removed_take_nothing_is_left_and_nothing_comes_back(folder: TakeFolder, ring: Ring) -> None:
    folder.write(TAKE)
    path = ring.put(make_frame(1))
    folder.link(path)
    folder.remove()
    assert takes.folders_of(1) == []
    assert path.exists()
    assert folder.pictures() == []
    assert not folder.link(path)
    with pytest.raises(FileNotFoundError):
        folder.write(TAKE)
    folder.remove()


def test_all_takes_are_those_of_every_camera() -> None:
    assert list(takes.all_takes()) == []
    for camera_id, name in ((2, "b"), (1, "c"), (1, "a")):
        takes.folder_of(camera_id, name).make()
    folders.of(3).mkdir()
    assert [(one.camera_id, one.id) for one in takes.all_takes()] == [(1, "a"), (1, "c"), (2, "b")]
