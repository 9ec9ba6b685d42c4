"""Files that want to do harm: each gets a clear message, nothing of it is run, and nothing of it stays."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from accounts.models import User
from tests.videos import films
from tests.videos.conftest import left_over
from tests.videos.test_uploads import Tus
from videos import containers, look
from videos.problems import SENTENCES, Refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_valkey")]
Maker = Callable[[Path], bytes]


def film_bytes(folder: Path, name: str = "film.mp4", **how: object) -> bytes:
    return films.make(folder / name, **how).read_bytes()  # type: ignore[arg-type]


def executable(_folder: Path) -> bytes:
    return Path(sys.executable).resolve().read_bytes()[:200_000]


def script(_folder: Path) -> bytes:
    return b"#!/bin/sh\ntouch /tmp/omil-was-run\n" * 50


def zipped(folder: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("film.mp4", film_bytes(folder))
    return file.getvalue()


def playlist(_folder: Path) -> bytes:
    return b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/passwd\n#EXTINF:10,\nhttp://169.254.169.254/x.ts\n"


def concat(_folder: Path) -> bytes:
    return b"ffconcat version 1.0\nfile '/etc/passwd'\nfile 'http://127.0.0.1:9/x'\n"


def dash(_folder: Path) -> bytes:
    return b'<?xml version="1.0"?><MPD><Period><BaseURL>http://127.0.0.1:9/</BaseURL></Period></MPD>'


def svg(_folder: Path) -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def truncated(folder: Path) -> bytes:
    return film_bytes(folder)[:-400]


def truncated_at_once(folder: Path) -> bytes:
    return film_bytes(folder)[:64]


def truncated_matroska(folder: Path) -> bytes:
    whole = film_bytes(folder, "film.mkv", seconds=10)
    return whole[: len(whole) // 2]


def truncated_avi(folder: Path) -> bytes:
    whole = film_bytes(folder, "film.avi", codec="mpeg4", seconds=10)
    return whole[: len(whole) // 2]


def noise(_folder: Path) -> bytes:
    return b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + np.random.default_rng(1).bytes(100_000)


def noise_in_matroska(_folder: Path) -> bytes:
    return b"\x1a\x45\xdf\xa3" + np.random.default_rng(2).bytes(100_000)


def noise_in_the_pictures(folder: Path) -> bytes:
    """A header that is whole, and pictures that are not."""
    raw = bytearray(film_bytes(folder, seconds=2))
    at = raw.index(b"mdat") + 4
    end = raw.rindex(b"moov") - 4
    raw[at:end] = np.random.default_rng(3).bytes(end - at)
    return bytes(raw)


def sound_alone(folder: Path) -> bytes:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def a_million_a_second(folder: Path) -> bytes:
    """A second's pictures within 100 microseconds, by a clock of a microsecond a tick."""
    raw = bytearray(film_bytes(folder, seconds=10))
    at = raw.index(b"mdhd") + 4
    raw[at + 12 : at + 16] = struct.pack(">I", 1_000_000_000)
    return bytes(raw)


def none_a_second(folder: Path) -> bytes:
    """All pictures at the same time."""
    raw = bytearray(film_bytes(folder, options={"movflags": "faststart"}))
    at = raw.index(b"stts") + 8
    (count,) = struct.unpack(">I", raw[at : at + 4])
    for entry in range(count):
        raw[at + 8 + 8 * entry : at + 12 + 8 * entry] = bytes(4)
    return bytes(raw)


def one_pixel(folder: Path) -> bytes:
    return film_bytes(folder, "one.mkv", size=(1, 1), codec="ffv1", pix_fmt="bgr0", draw=lambda _number, _picture: None)


def huge(folder: Path) -> bytes:
    """16384 pixels square, say the container and each picture, in a few kilobytes; FFmpeg itself could not make it."""
    raw = film_bytes(folder, "film.mkv", codec="mjpeg", pix_fmt="yuvj420p", size=(320, 256))
    side = struct.pack(">H", 16_384)
    for before, after in (
        (b"\xb0\x82\x01\x40", b"\xb0\x82" + side),
        (b"\xba\x82\x01\x00", b"\xba\x82" + side),
        (b"\xff\xc0\x00\x11\x08\x01\x00\x01\x40", b"\xff\xc0\x00\x11\x08" + side + side),
    ):
        assert before in raw
        raw = raw.replace(before, after)
    return raw


def huge_in_its_pictures_alone(folder: Path) -> bytes:
    """The container says 320 by 256."""
    raw = film_bytes(folder, "film.mkv", codec="mjpeg", pix_fmt="yuvj420p", size=(320, 256))
    side = struct.pack(">H", 16_384)
    return raw.replace(b"\xff\xc0\x00\x11\x08\x01\x00\x01\x40", b"\xff\xc0\x00\x11\x08" + side + side)


def ten_hours_of_black(folder: Path) -> bytes:
    times = [60.0 * number for number in range(600)]
    return film_bytes(folder, "black.mkv", times=times, draw=lambda _number, _picture: None)


def bomb(folder: Path) -> bytes:
    """An MP4 whose tables claim two thousand million samples in one entry."""
    raw = bytearray(film_bytes(folder, options={"movflags": "faststart"}))
    at = raw.index(b"stsz") + 4
    raw[at + 4 : at + 8] = struct.pack(">I", 1)  # All of one size, so that no table need follow.
    raw[at + 8 : at + 12] = struct.pack(">I", 2_000_000_000)
    at = raw.index(b"stts") + 8
    raw[at + 4 : at + 8] = struct.pack(">I", 2_000_000_000)
    at = raw.index(b"stsc") + 8
    raw[at + 8 : at + 12] = struct.pack(">I", 2_000_000_000)
    return bytes(raw)


def mov_that_names_another_file(folder: Path) -> bytes:
    """A data reference with an alias: QuickTime's way to say that the pictures lie in another file."""
    raw = bytearray(film_bytes(folder, options={"movflags": "faststart"}))
    at = raw.index(b"url ", raw.index(b"dref"))
    raw[at + 4 : at + 8] = bytes(4)  # Not in this file ...
    raw[at : at + 4] = b"rsrc"  # ... but where a resource of another one says.
    return bytes(raw)


HOSTILE: list[tuple[Maker, set[str]]] = [
    (executable, {"not_video"}),
    (script, {"not_video"}),
    (zipped, {"not_video"}),
    (playlist, {"not_video"}),
    (concat, {"not_video"}),
    (dash, {"not_video"}),
    (svg, {"not_video"}),
    (truncated, {"cut_off"}),
    (truncated_at_once, {"cut_off"}),
    (truncated_matroska, {"cut_off"}),
    (truncated_avi, {"cut_off"}),
    (noise, {"unreadable", "cut_off"}),
    (noise_in_matroska, {"unreadable", "cut_off", "no_stream"}),
    (noise_in_the_pictures, {"no_pictures"}),
    (sound_alone, {"no_stream"}),
    (a_million_a_second, {"fps_too_high"}),
    (none_a_second, {"no_fps"}),
    (one_pixel, {"too_small"}),
    (huge, {"too_large", "no_pictures"}),
    (huge_in_its_pictures_alone, {"too_large", "no_pictures"}),
    (ten_hours_of_black, {"too_long"}),
    (bomb, {"too_heavy", "too_long", "too_many_pictures", "unreadable", "fps_too_high"}),
]


@pytest.mark.parametrize(("make", "codes"), HOSTILE, ids=[make.__name__ for make, _codes in HOSTILE])
def test_it_is_refused_with_a_clear_message_and_nothing_stays(
    tmp_path: Path, bob: User, make: Maker, codes: set[str]
) -> None:
    data = make(tmp_path)
    answer = Tus(bob).upload(data)
    assert answer.status_code == 422, answer.content
    assert answer.json()["code"] in codes
    assert len(answer.json()["message"]) > 20
    assert left_over() == []
    assert not Path("/tmp/omil-was-run").exists()


def test_a_name_says_nothing_about_the_content(tmp_path: Path, bob: User) -> None:
    answer = Tus(bob).upload(film_bytes(tmp_path), filename="notes.txt")
    assert answer.status_code == 204


def test_a_film_that_names_another_file_is_not_followed(tmp_path: Path, bob: User) -> None:
    """Whether it is refused or taken as one without pictures: nothing else than the file itself is opened."""
    path = tmp_path / "alias.mov"
    path.write_bytes(mov_that_names_another_file(tmp_path))
    traced = tmp_path / "opened.txt"
    code = (
        "import sys, pathlib\n"
        "from videos.containers import open_video\n"
        "import av.subtitles\n"
        "seen = pathlib.Path(sys.argv[2]).open('w')\n"
        "sys.addaudithook(lambda name, args: seen.write(f'{args[0]}\\n') if name == 'open' else None)\n"
        "container = open_video(pathlib.Path(sys.argv[1]))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(traced)], check=False, capture_output=True, timeout=30)
    opened = {name for name in traced.read_text().split() if "site-packages" not in name}
    assert opened == {str(path)}


@pytest.mark.parametrize("name", ["hls", "concat", "dash", "image2", "lavfi", "rtsp"])
def test_only_containers_of_films_are_ever_opened(tmp_path: Path, name: str) -> None:
    assert name not in {reader for _at, _magic, reader in containers.MAGIC}


def test_looking_at_a_file_has_little_memory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LONGEST_S", 0.01)
    with pytest.raises(Refused, match="too_heavy"):
        look.look(films.make(tmp_path / "film.mp4"))


def test_every_code_has_a_sentence() -> None:
    assert all(len(str(sentence)) > 15 for sentence in SENTENCES.values())
    assert {code for _make, codes in HOSTILE for code in codes} <= set(SENTENCES)


@pytest.mark.parametrize(
    ("name", "how", "is_playable"),
    [
        ("film.mp4", {}, True),
        ("film.mov", {}, False),
        ("film.mkv", {}, False),
        ("film.avi", {"codec": "mpeg4"}, False),
        ("film.webm", {"codec": "libvpx"}, True),
        ("film.mp4", {"codec": "mpeg4"}, False),
        ("film.mp4", {"pix_fmt": "yuv444p"}, False),
    ],
)
def test_every_kind_that_is_promised_is_taken(
    tmp_path: Path, name: str, how: dict[str, str], is_playable: bool
) -> None:
    found = look.look(films.make(tmp_path / name, **how))  # type: ignore[arg-type]
    assert (found.width, found.height, found.extension) == (160, 120, name[-len(found.extension) :])
    assert found.duration_s == pytest.approx(4, abs=0.2)
    assert found.is_playable is is_playable


def test_a_film_that_players_would_time_otherwise_is_not_played_as_it_is(tmp_path: Path) -> None:
    late = look.look(films.make(tmp_path / "late.mp4", times=[0.5 + number / 10 for number in range(30)]))
    sounding = look.look(films.with_beep(films.make(tmp_path / "4.mp4"), tmp_path / "b.mp4", at=2.0, codec="aac"))
    assert (late.is_playable, sounding.is_playable) == (False, True)


def test_a_film_is_as_long_as_its_pictures_whatever_its_sound(tmp_path: Path) -> None:
    film = films.make(tmp_path / "film.mkv", seconds=2)
    found = look.look(films.with_beep(film, tmp_path / "loud.mkv", at=2.0))
    assert found.duration_s == pytest.approx(2, abs=0.2)
    assert found.fps == pytest.approx(10, abs=0.5)  # This file passes the ticks of its clock off as its rate.


def test_the_cover_of_a_song_is_no_film(tmp_path: Path, bob: User) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8_000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 256, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8_000
        container.mux(cover.encode(av.VideoFrame(320, 256, "yuvj420p")))
        container.mux(cover.encode(None))
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert Tus(bob).upload(path.read_bytes()).json()["code"] in {"no_stream", "no_fps", "no_pictures"}
