"""The times of an MP4's pictures, read without decoding: of finished clips, of those that still grow, of nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cameras import images
from cameras.ring import name_of
from recordings import moov
from recordings.encode import X264, encode
from recordings.parts import Chunk, Parts, Piece
from recordings.ranges import piece_of
from tests.recordings.footage import write_film

TIMES = [0, 0.2, 0.41, 1.0, 1.05, 3.3, 3.4, 5.9, 6.0]


def test_a_finished_clip_tells_its_true_times(tmp_path: Path) -> None:
    write_film(tmp_path / "clip.mp4", TIMES)
    assert moov.times([piece_of(tmp_path / "clip.mp4")]) == pytest.approx(TIMES, abs=0.0001)


def test_an_open_clip_tells_those_of_all_its_parts(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    pictures = []
    for number, at in enumerate(TIMES):
        path = tmp_path / name_of("0" * 32, number, 1_000 + at)
        path.write_bytes(images.encode_jpeg(np.full((96, 128, 3), 20 * number + 30, np.uint8)))
        pictures.append(path)
    x264 = X264("ultrafast", 30)
    encode(parts, Chunk(pictures[:5], 1_000 + TIMES[5]), x264)
    encode(parts, Chunk(pictures[5:], None), x264)
    pieces = parts.pieces()
    assert len(pieces) == 2
    assert moov.times(pieces) == pytest.approx(TIMES, abs=0.0001)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8 a picture",
        b"\0\0\0\x10moov\0\0\0\x08trak",
        b"\0\0\0\x0cmoov\0\0\0\0",
        b"\0\0\0\x10moof\0\0\0\x08traf",
        b"\xff\xff\xff\xffmoov" + bytes(40),
    ],
)
def test_what_is_no_film_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(moov.UnreadableError):
        moov.times([Piece(path, 0, len(content))])


def test_a_film_that_is_cut_off_is_no_reason_to_fall(tmp_path: Path) -> None:
    write_film(tmp_path / "clip.mp4", TIMES)
    whole = (tmp_path / "clip.mp4").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "part.mp4").write_bytes(whole[:size])
        try:
            moov.times([Piece(tmp_path / "part.mp4", 0, size)])
        except moov.UnreadableError:
            continue
