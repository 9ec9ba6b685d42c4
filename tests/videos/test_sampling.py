"""Samples go by the video's own clock: their number, their times and their pictures."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from tests.videos import films
from videos.containers import told_s
from videos.sampling import SamplingError, samples


def test_a_film_of_21_seconds_has_210_samples_at_ten_a_second(tmp_path: Path) -> None:
    path = films.make(tmp_path / "long.mp4", seconds=21, fps=25)
    found = list(samples(path, 10))
    assert abs(len(found) - 210) <= 1
    assert [sample.index for sample in found] == list(range(len(found)))
    assert [sample.at_s for sample in found] == [k / 10 for k in range(len(found))]


@pytest.mark.parametrize(
    ("seconds", "fps", "per_s"),
    [
        (2.0, 10, 5),  # Every second picture.
        (2.0, 10, 30),  # Each picture three times.
        (3.0, 7, 5),  # Nothing falls together.
        (1.0, 1, 5),  # One picture alone.
    ],
)
def test_a_sample_is_the_picture_shown_at_its_time(tmp_path: Path, seconds: float, fps: int, per_s: float) -> None:
    path = films.make(tmp_path / "film.mp4", seconds=seconds, fps=fps)
    for sample in samples(path, per_s):
        shown = min(int(sample.at_s * fps + 1e-9), round(seconds * fps) - 1)
        assert films.number_of(sample.frame_bgr) == shown, sample.at_s


def test_uneven_times_are_followed(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 1.5, 1.6, 3.0]
    path = films.make(tmp_path / "uneven.mkv", times=times)
    found = list(samples(path, 10))
    for sample in found:
        shown = max(number for number, at in enumerate(times) if at <= sample.at_s + 1e-9)
        assert films.number_of(sample.frame_bgr) == shown, sample.at_s
    assert abs(len(found) - 31) <= 1


def test_going_on_in_the_middle_gives_the_same_samples(test_data: Path) -> None:
    path = test_data / "videos" / "dancer_dev.mp4"

    def hashes(first: int) -> list[tuple[int, float, str]]:
        part = itertools.takewhile(lambda sample: sample.index < 60, samples(path, 5, first=first))
        return [(each.index, each.at_s, hashlib.sha256(each.frame_bgr.tobytes()).hexdigest()) for each in part]

    whole = hashes(0)
    for first in (1, 17, 42):
        assert hashes(first) == whole[first:]


def test_the_same_film_gives_the_same_samples_with_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = films.make(tmp_path / "film.mp4", seconds=6, fps=30, size=(320, 240))
    usual = [sample.frame_bgr.copy() for sample in samples(path, 10)]
    import videos.sampling as sampling

    monkeypatch.setattr(sampling, "THREADS", 1)
    alone = [sample.frame_bgr.copy() for sample in samples(path, 10)]
    assert len(usual) == len(alone)
    assert all((one == other).all() for one, other in zip(usual, alone, strict=True))


def test_the_end_of_a_file_that_breaks_off_is_the_end_of_the_video(tmp_path: Path) -> None:
    path = films.make(tmp_path / "cut.mkv", seconds=20, fps=25, size=(320, 240))
    whole = len(list(samples(path, 5)))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    found = list(samples(path, 5))
    assert whole // 4 < len(found) < whole


def test_a_film_whose_last_picture_stays_is_whole(tmp_path: Path) -> None:
    film, stays = films.make(tmp_path / "film.mp4", seconds=2), tmp_path / "stays.mp4"
    with av.open(str(film)) as shown, av.open(str(stays), "w") as made:
        stream = made.add_stream_from_template(shown.streams.video[0])
        packets = [packet for packet in shown.demux(shown.streams.video[0]) if packet.size]
        packets[-1].duration = round(20 / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            made.mux(packet)
        made.close()
    damages: list[float] = []
    found = list(samples(stays, 5, on_damage=lambda: damages.append(1)))
    assert found[-1].at_s > 10
    assert not damages


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_whose_clock_begins_late_is_whole(tmp_path: Path, suffix: str) -> None:
    times = [3 + number / 10 for number in range(20)]
    film = films.make(tmp_path / f"late{suffix}", times=times)
    damages: list[float] = []
    assert len(list(samples(film, 10, on_damage=lambda: damages.append(1)))) == pytest.approx(20, abs=1)
    assert not damages
    with av.open(str(film)) as container:
        assert told_s(container.streams.video[0]) == pytest.approx(2, abs=0.2)


def test_a_video_longer_than_it_says_is_stopped(tmp_path: Path) -> None:
    path = films.make(tmp_path / "film.mp4", seconds=5)
    with pytest.raises(SamplingError, match="too_long"):
        list(samples(path, 5, longest_s=3))


def test_more_pictures_than_any_camera_takes_are_a_trick(tmp_path: Path) -> None:
    path = tmp_path / "fast.mkv"
    films.make(path, times=[n / 1000 for n in range(200)])
    with av.open(str(path)) as container:
        assert len(list(container.demux(video=0))) > 190
    import videos.sampling as sampling

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SamplingError, match="too_many_pictures"):
        patch.setattr(sampling, "MOST_PER_S", 100)
        list(samples(path, 5))


def test_a_film_taken_with_a_turned_phone_is_upright(tmp_path: Path) -> None:
    """Its header says by how much; here it is written into an MP4 by hand."""
    path = films.make(tmp_path / "turned.mp4", size=(160, 96))
    before = next(samples(path, 5)).frame_bgr
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 4 + 40
    one = (1 << 16).to_bytes(4, "big")
    minus = (-(1 << 16) & 0xFFFFFFFF).to_bytes(4, "big")
    zero = bytes(4)
    # To the right by a quarter: (a b u c d v x y w).
    raw[at : at + 36] = b"".join([zero, one, zero, minus, zero, zero, zero, zero, (1 << 30).to_bytes(4, "big")])
    path.write_bytes(raw)
    found = next(samples(path, 5)).frame_bgr
    assert found.shape == (160, 96, 3)
    assert np.abs(found.astype(int) - np.rot90(before, 3).astype(int)).max() == 0
