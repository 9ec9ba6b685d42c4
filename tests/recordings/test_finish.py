"""The finished clip: whole, seekable from its first byte, with its pictures beside it, however often it is made."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest

from cameras import images
from recordings import finish, poster
from recordings.finish import NothingToKeep
from recordings.parts import Parts, boxes
from tests.recordings import takings
from tests.recordings.takings import IRREGULAR_S, START


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Three of them."""
    made = Parts(tmp_path / "parts")
    takings.film(tmp_path / "pictures", IRREGULAR_S)
    assert takings.encode_all(made, tmp_path / "pictures").next_number == 3
    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / finish.name_of(7, "abc", START)


def test_a_clip_lies_by_camera_and_day_under_its_first_pictures_time() -> None:
    assert finish.name_of(7, "abc", START) == "7/2025/10/09/085320Z-abc.mp4"


def test_the_clip_is_h264_with_moov_first_and_true_times(parts: Parts, clip: Path) -> None:
    finish.finish(parts, clip)
    told = takings.probe(clip)
    stream = told["streams"][0]
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert (stream["width"], stream["height"], stream["nb_frames"]) == (160, 120, str(len(IRREGULAR_S)))
    assert takings.seconds(told) == pytest.approx(IRREGULAR_S, abs=0.001)
    assert float(told["format"]["duration"]) == pytest.approx(IRREGULAR_S[-1], abs=0.2)
    names = [name for name, _offset, _size in boxes(clip)]
    assert names.index("moov") < names.index("mdat")
    assert "moof" not in names


def test_the_clip_shows_what_was_captured(parts: Parts, clip: Path) -> None:
    finish.finish(parts, clip)
    assert max(takings.differences(takings.pictures(clip), range(len(IRREGULAR_S)))) < 4


def test_size_and_hash_are_those_of_the_file(parts: Parts, clip: Path) -> None:
    finished = finish.finish(parts, clip)
    assert finished.size == clip.stat().st_size
    assert finished.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()


def test_made_again_it_is_the_same_to_the_last_bit(parts: Parts, clip: Path) -> None:
    first = finish.finish(parts, clip)
    assert finish.finish(parts, clip) == first
    assert sorted(path.name for path in clip.parent.iterdir()) == [
        "085320Z-abc.jpg",
        "085320Z-abc.mp4",
        "085320Z-abc.strip.jpg",
    ]


def test_a_long_clip_of_many_pictures_has_room_for_its_index(tmp_path: Path, clip: Path) -> None:
    """Every interval differs from the one before, which is what an index takes the most room for."""
    takings.film(tmp_path / "many", [number / 30 + (number % 2) * 0.01 for number in range(1_500)], size_wh=(16, 16))
    parts = Parts(tmp_path / "parts")
    takings.encode_all(parts, tmp_path / "many", part_s=10)
    finish.finish(parts, clip)
    assert takings.probe(clip)["streams"][0]["nb_frames"] == "1500"


@pytest.mark.parametrize("at_s", [(0.0,), (0.0, 0.2, 0.4)])
def test_a_clip_shorter_than_its_strip_has_one_all_the_same(
    tmp_path: Path, clip: Path, at_s: tuple[float, ...]
) -> None:
    takings.film(tmp_path / "few", at_s)
    parts = Parts(tmp_path / "parts")
    takings.encode_all(parts, tmp_path / "few")
    finish.finish(parts, clip)
    assert len(takings.pictures(clip)) == len(at_s)
    assert images.size_of(poster.strip_of(clip).read_bytes()) == (1_600, 120)


def test_poster_and_strip_show_the_clip(parts: Parts, clip: Path) -> None:
    finish.finish(parts, clip)
    shown = images.decode_bgr(poster.poster_of(clip).read_bytes())
    assert shown.shape == (120, 160, 3)
    assert min(takings.differences([shown] * len(IRREGULAR_S), range(len(IRREGULAR_S)))) < 5
    strip = images.decode_bgr(poster.strip_of(clip).read_bytes())
    assert strip.shape == (120, 1_600, 3)
    tiles = [strip[:, left : left + 160] for left in range(0, 1_600, 160)]
    # From the middle of each tenth of 13.1 s: the picture that was on the screen then.
    for number, tile in enumerate(tiles):
        at = 13.1 * (number + 0.5) / 10
        expected = max(n for n, time in enumerate(IRREGULAR_S) if time <= at)
        assert takings.differences([tile], [expected])[0] < 6


def test_a_part_that_a_power_cut_has_spoilt_is_left_out(parts: Parts, clip: Path) -> None:
    parts.files()[1].write_bytes(b"\0" * 3_000)
    finish.finish(parts, clip)
    told = takings.seconds(takings.probe(clip))
    assert 0 < len(told) < len(IRREGULAR_S)
    assert told[-1] == pytest.approx(IRREGULAR_S[-1], abs=0.001)  # Nothing moves into the gap.


def test_with_all_parts_spoilt_there_is_nothing_to_keep(parts: Parts, clip: Path) -> None:
    for path in parts.files():
        path.write_bytes(b"")
    with pytest.raises(NothingToKeep):
        finish.finish(parts, clip)
    assert list(clip.parent.iterdir()) == []


@pytest.mark.parametrize("room", [0.0, 0.5, 0.999])
def test_a_full_disk_leaves_nothing_half_written(parts: Parts, clip: Path, room: float) -> None:
    size = finish.finish(parts, clip).size
    for path in (clip, *finish.companions(clip)):
        path.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * room), limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            finish.finish(parts, clip)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(clip.parent.iterdir()) == []
    assert finish.finish(parts, clip).size == size
