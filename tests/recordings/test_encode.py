"""Parts: what comes out is H.264 that plays, at the times at which the pictures were captured."""

from __future__ import annotations

import resource
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recordings import encode
from recordings.parts import Parts, boxes, cut
from recordings.takes import TakeFolder
from tests.recordings import takings
from tests.recordings.takings import FASTEST, IRREGULAR_S, START


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "parts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def test_the_parts_in_a_row_are_one_video_with_true_times(parts: Parts, folder: Path, tmp_path: Path) -> None:
    takings.film(folder, IRREGULAR_S)
    progress = takings.encode_all(parts, folder)
    assert progress.next_number == 3
    assert progress.frames == len(IRREGULAR_S)
    told = takings.probe(takings.concatenate(parts, tmp_path / "open.mp4"))
    assert told["streams"][0]["codec_name"] == "h264"
    assert told["streams"][0]["pix_fmt"] == "yuv420p"
    assert told["streams"][0]["color_range"] == "tv"
    assert takings.seconds(told) == pytest.approx(IRREGULAR_S, abs=0.001)
    assert float(told["format"]["duration"]) == pytest.approx(IRREGULAR_S[-1], abs=0.2)


def test_what_is_shown_is_what_was_captured(parts: Parts, folder: Path, tmp_path: Path) -> None:
    takings.film(folder, IRREGULAR_S)
    takings.encode_all(parts, folder)
    shown = takings.pictures(takings.concatenate(parts, tmp_path / "open.mp4"))
    assert max(takings.differences(shown, range(len(IRREGULAR_S)))) < 4
    assert min(takings.differences(shown, range(3, len(IRREGULAR_S) + 3))) > 4  # Another picture's would differ.


def test_the_first_parts_play_before_the_others_are_there(parts: Parts, folder: Path, tmp_path: Path) -> None:
    made = takings.film(folder, IRREGULAR_S)
    chunk = cut(made, linked_until=START + 9, is_over=False, part_s=5)
    assert chunk is not None
    encode.encode(parts, chunk, FASTEST)
    assert len(takings.pictures(takings.concatenate(parts, tmp_path / "open.mp4"))) == len(chunk.pictures)


def test_a_player_finds_a_key_picture_at_least_every_two_seconds(parts: Parts, folder: Path, tmp_path: Path) -> None:
    takings.film(folder, [number / 7 for number in range(80)])
    takings.encode_all(parts, folder)
    told = takings.probe(takings.concatenate(parts, tmp_path / "open.mp4"))
    keys = [float(packet["pts_time"]) for packet in told["packets"] if "K" in packet["flags"]]
    assert max(np.diff(keys)) <= 2
    assert len(keys) < 12  # Not every picture is one either.


def test_fragments_are_numbered_through_all_parts(parts: Parts, folder: Path) -> None:
    takings.film(folder, IRREGULAR_S)
    progress = takings.encode_all(parts, folder)
    numbers = []
    for path in parts.files():
        data = path.read_bytes()
        starts = [offset for name, offset, _size in boxes(path) if name == "moof"]
        numbers += [int.from_bytes(data[start + 20 : start + 24], "big") for start in starts]
    assert numbers == list(range(1, progress.fragments + 1))


def test_all_parts_have_the_header_of_the_first_whatever_the_settings_become(parts: Parts, folder: Path) -> None:
    made = takings.film(folder, [0, 1, 2, 3])
    for pair, x264 in ((made[:2], FASTEST), (made[2:], replace(FASTEST, preset="fast", quality=20))):
        chunk = cut(pair, linked_until=0, is_over=True, part_s=5)
        assert chunk is not None
        encode.encode(parts, chunk, x264)
    first, second = (path.read_bytes().split(b"moof")[0] for path in parts.files())
    assert first[:-4] == second[:-4]
    assert parts.read().preset == FASTEST.preset


def test_pictures_captured_at_the_same_instant_are_all_kept_in_order(
    parts: Parts, folder: Path, tmp_path: Path
) -> None:
    takings.film(folder, [0, 0.2, 0.2, 0.2, 0.4])
    takings.encode_all(parts, folder)
    times = takings.seconds(takings.probe(takings.concatenate(parts, tmp_path / "open.mp4")))
    assert len(times) == 5
    assert all(earlier < later for earlier, later in pairwise(times))


@pytest.mark.parametrize("at_s", [[0.0], [0.0, 0.02]])
def test_a_clip_of_hardly_any_pictures_plays(parts: Parts, folder: Path, tmp_path: Path, at_s: list[float]) -> None:
    takings.film(folder, at_s)
    takings.encode_all(parts, folder)
    video = takings.concatenate(parts, tmp_path / "open.mp4")
    assert len(takings.pictures(video)) == len(at_s)
    assert 0 < float(takings.probe(video)["format"]["duration"]) - at_s[-1] <= 0.1


@pytest.mark.parametrize(
    ("size_wh", "expected"),
    [
        ((161, 121), (160, 120)),  # H.264 with 4:2:0 has no odd sides.
        ((2, 2), (16, 16)),  # Nor does anything play so small a picture.
        ((120, 160), (120, 160)),
    ],
)
def test_sides_come_out_even(
    parts: Parts, folder: Path, tmp_path: Path, size_wh: tuple[int, int], expected: tuple[int, int]
) -> None:
    takings.film(folder, [0, 0.2, 0.4], size_wh=size_wh)
    takings.encode_all(parts, folder)
    told = takings.probe(takings.concatenate(parts, tmp_path / "open.mp4"))["streams"][0]
    assert (told["width"], told["height"]) == expected


def test_a_picture_of_another_size_gets_black_beside_it(parts: Parts, folder: Path, tmp_path: Path) -> None:
    made = takings.film(folder, [0, 0.2, 0.4, 6, 6.2])
    made[2].write_bytes(takings.jpeg(2, 60, 120))  # A phone turned upright, for a moment.
    made[4].write_bytes(takings.jpeg(4, 320, 120))  # And in a later part one that is very wide.
    takings.encode_all(parts, folder)
    shown = takings.pictures(takings.concatenate(parts, tmp_path / "open.mp4"))
    assert {picture.shape for picture in shown} == {(120, 160, 3)}
    upright, wide = shown[2], shown[4]
    assert max(upright[:, :40].mean(), upright[:, 120:].mean()) < 12 < 60 < upright[:, 60:100].mean()
    assert max(wide[:20].mean(), wide[100:].mean()) < 12 < 60 < wide[40:80].mean()
    assert min(shown[number].mean() for number in (0, 1, 3)) > 60


def test_a_picture_of_twice_the_size_fills_the_clip(parts: Parts, folder: Path, tmp_path: Path) -> None:
    made = takings.film(folder, [0, 0.2])
    made[1].write_bytes(takings.jpeg(1, 322, 241))
    takings.encode_all(parts, folder)
    shown = takings.pictures(takings.concatenate(parts, tmp_path / "open.mp4"))[1]
    assert min(shown[:4].mean(), shown[-4:].mean(), shown[:, :4].mean(), shown[:, -4:].mean()) > 60


@pytest.mark.parametrize("where", [0, 2, 5])
def test_a_picture_that_cannot_be_decoded_is_left_out_and_counted(
    parts: Parts, folder: Path, tmp_path: Path, where: int
) -> None:
    at_s = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    takings.film(folder, at_s)[where].write_bytes(b"\xff\xd8\xff\xe0 nothing of a picture")
    progress = takings.encode_all(parts, folder)
    assert (progress.frames, progress.left_out) == (5, 1)
    kept = [number for number in range(6) if number != where]
    video = takings.concatenate(parts, tmp_path / "open.mp4")
    assert takings.seconds(takings.probe(video)) == pytest.approx([at_s[n] - at_s[kept[0]] for n in kept], abs=0.001)
    assert max(takings.differences(takings.pictures(video), kept)) < 4


def test_without_any_picture_there_is_no_part(parts: Parts, folder: Path) -> None:
    for path in takings.film(folder, [0, 0.2]):
        path.write_bytes(b"")
    progress = takings.encode_all(parts, folder)
    assert (progress.frames, progress.left_out, progress.next_number) == (0, 2, 0)
    assert not parts.files()
    assert not parts.pieces()
    assert not list(folder.iterdir())


def test_pictures_go_only_once_they_are_encoded(parts: Parts, folder: Path) -> None:
    made = takings.film(folder, IRREGULAR_S)
    chunk = cut(made, linked_until=START + 9, is_over=False, part_s=5)
    assert chunk is not None
    encode.encode(parts, chunk, FASTEST)
    assert sorted(folder.iterdir()) == made[len(chunk.pictures) :]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(
    "killed_in",
    [
        "encode._sync",  # The part is written under its temporary name.
        "encode.Parts.write",  # It is there, but nobody knows of it.
        "encode.drop",  # It is known, its pictures are still linked.
    ],
)
def test_killed_at_any_step_it_is_repeated_without_harm(
    parts: Parts, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    def die(*_arguments: object) -> None:
        raise Killed

    made = takings.film(folder, IRREGULAR_S)
    chunk = cut(made, linked_until=0, is_over=True, part_s=5)
    assert chunk is not None
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(f"recordings.{killed_in}", die)
        encode.encode(parts, chunk, FASTEST)
    TakeFolder(folder.parent).drop_through(parts.read().last_name)
    progress = takings.encode_all(parts, folder)
    assert progress.frames == len(IRREGULAR_S)
    told = takings.probe(takings.concatenate(parts, tmp_path / "open.mp4"))
    assert takings.seconds(told) == pytest.approx(IRREGULAR_S, abs=0.001)
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in parts.folder.iterdir()) == ["0000.m4s", "0001.m4s", "0002.m4s", "state.json"]


def test_links_of_encoded_pictures_and_late_ones_go(parts: Parts, folder: Path) -> None:
    made = takings.film(folder, [0, 1, 2, 3])
    chunk = cut(made[:2], linked_until=0, is_over=True, part_s=5)
    assert chunk is not None
    encode.encode(parts, chunk, FASTEST)
    late = takings.film(folder, [0.5])
    assert late[0] in folder.iterdir()
    TakeFolder(folder.parent).drop_through(parts.read().last_name)
    assert sorted(folder.iterdir()) == made[2:]


@pytest.mark.parametrize("room", [0.0, 0.5, 0.999])
def test_a_full_disk_costs_no_picture_and_leaves_nothing_half_written(
    parts: Parts, folder: Path, tmp_path: Path, room: float
) -> None:
    takings.film(tmp_path / "again", IRREGULAR_S)
    again = Parts(tmp_path / "again-parts")
    takings.encode_all(again, tmp_path / "again", part_s=60)
    made = takings.film(folder, IRREGULAR_S)
    chunk = cut(made, linked_until=0, is_over=True, part_s=60)
    assert chunk is not None
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(again.files()[0].stat().st_size * room), limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            encode.encode(parts, chunk, FASTEST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(folder.iterdir()) == made
    assert list(parts.folder.iterdir()) == []
    assert takings.encode_all(parts, folder).frames == len(IRREGULAR_S)
