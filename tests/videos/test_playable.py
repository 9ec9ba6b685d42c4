"""The copy of what browsers cannot play: H.264, at the times of the original, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from django.conf import settings as conf

from tests.videos import films
from tests.videos.conftest import Uploaded, left_over
from videos import places, playable, removal, sound
from videos.models import Video
from videos.sampling import samples


def copy_of(video: Video) -> Path:
    return Path(conf.VIDEOS_DIR) / str(video.pk) / places.COPY


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("film.mkv", {}),
        ("film.avi", {"codec": "mpeg4"}),
        ("film.mp4", {"pix_fmt": "yuv444p"}),
        ("odd.mkv", {"codec": "ffv1", "pix_fmt": "bgr0", "size": (161, 121)}),
    ],
)
def test_it_shows_the_same_at_the_same_times(
    uploaded: Uploaded, tmp_path: Path, name: str, how: dict[str, object]
) -> None:
    path = films.make(tmp_path / name, **how)  # type: ignore[arg-type]
    video = uploaded(path)
    assert (video.is_playable, video.wants_copy, video.has_copy) == (False, True, False)
    playable.make(video.pk)
    video.refresh_from_db()
    assert video.has_copy
    with av.open(str(copy_of(video))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    ours, theirs = ([films.number_of(each.frame_bgr) for each in samples(file, 10)] for file in (copy_of(video), path))
    assert ours[:39] == theirs[:39] == list(range(39))
    assert not places.copy_work_of(video.pk).exists()


def beep_of(path: Path) -> tuple[float, float]:
    """When its sound begins and ends, in seconds since its first picture."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).time
    loud: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            at = frame.time - first
            loud += [at + place / frame.sample_rate for place in np.flatnonzero(abs(frame.to_ndarray()[0]) > 0.1)]
    return min(loud), max(loud)


@pytest.mark.parametrize("first", [0.0, 0.5], ids=["together", "sound first"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "ac3"])
def test_it_sounds_the_same_at_the_same_times(tmp_path: Path, codec: str, first: float) -> None:
    silent = films.make(tmp_path / "silent.mkv", times=[first + number / 10 for number in range(35)])
    rate = 48_000 if codec == "ac3" else 22_050
    source = films.with_beep(silent, tmp_path / "film.mkv", at=2.0, codec=codec, rate=rate)
    playable.copy(source, tmp_path / "copy.mp4", lambda: None)
    begins, ends = beep_of(tmp_path / "copy.mp4")
    assert begins == pytest.approx(2.0 - first, abs=0.05)
    assert ends == pytest.approx(3.0 - first, abs=0.05)


def test_where_the_sound_is_damaged_the_pictures_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(*_given: object) -> Iterator[av.AudioFrame]:
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 22_050), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 22_050, 0
        yield frame
        raise av.error.InvalidDataError(1, "damaged")

    silent = films.make(tmp_path / "silent.mkv")
    source = films.with_beep(silent, tmp_path / "film.mkv", at=1.0)
    monkeypatch.setattr(sound, "_heard", breaks_off)
    playable.copy(source, tmp_path / "copy.mp4", lambda: None)
    assert len(list(samples(tmp_path / "copy.mp4", 10))) == len(list(samples(silent, 10)))


def test_what_plays_as_it_is_needs_none(uploaded: Uploaded, film: Path) -> None:
    video = uploaded(film)
    assert video.is_playable
    playable.make(video.pk)
    assert not copy_of(video).exists()


def test_a_copy_of_a_deleted_video_is_not_kept(
    uploaded: Uploaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playable, "LOOK_S", 0)
    video = uploaded(films.make(tmp_path / "film.mkv"))
    ask = playable._Asker.__call__
    asked: list[int] = []

    def cancel(self: playable._Asker) -> None:
        asked.append(1)
        if len(asked) == 10:
            removal.remove(video)
        ask(self)

    monkeypatch.setattr(playable._Asker, "__call__", cancel)
    playable.make(video.pk)
    places.remove_work(video.pk)  # On commit, which a test never comes to.
    assert left_over() == []


def test_a_copy_that_cannot_be_made_is_given_up(
    uploaded: Uploaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = uploaded(films.make(tmp_path / "film.mkv"))

    def fail(*_args: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(playable, "copy", fail)
    for _time in range(playable.ATTEMPTS):
        playable.make(video.pk)
    video.refresh_from_db()
    assert (video.wants_copy, video.has_copy) == (False, False)
    assert not places.copy_work_of(video.pk).exists()
