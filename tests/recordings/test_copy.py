"""Clips copied from what a camera sent: they play, keep the true times, and are encoded where they cannot be copied."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import sync_playwright
from pytest_django import Settings

from cameras import folders, masking, packets, zones
from cameras.entries import Kind, Outcome
from cameras.frames import Frame
from cameras.models import Camera
from cameras.packet_ring import PacketRing
from cameras.pull.source import Packets, Picture
from cameras.pull.source import Settings as ForReader
from cameras.ring import Ring
from cameras.spool import Spool
from recordings import bell, copy_parts, encode, film, footage, jobs, moov, poster, takes
from recordings.film import Stretch
from recordings.models import Recording, Seal
from recordings.parts import Parts
from recordings.ranges import piece_of
from recordings.recorder import Recorder
from tests.build import STREAM
from tests.cameras.pull import streams
from tests.cameras.pull.streams import Came
from tests.flow import webcam
from tests.recordings.post import Told
from tests.recordings.takings import FASTEST, concatenate, probe, seconds

pytestmark = pytest.mark.django_db
START = 1_700_000_000.0
EVERYTHING = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Half a minute each, as cameras send it."""
    folder = tmp_path_factory.mktemp("films")
    pattern = streams.pattern()
    return {
        "h264": streams.encode(folder / "h264.mp4", *pattern, seconds=30),
        "reordered": streams.encode(folder / "reordered.mp4", *pattern, seconds=30, reordered=2),
        "long": streams.encode(folder / "long.mp4", *pattern, seconds=30, group=250),
        "h265": streams.encode(folder / "h265.mp4", *streams.pattern(fps=10), seconds=30, codec="h265", group=20),
        "open": streams.encode(
            folder / "open.mp4",
            *streams.pattern(fps=10),
            seconds=30,
            codec="h265",
            group=20,
            reordered=3,
            is_open=True,
        ),
        "large": streams.encode(folder / "large.mp4", *streams.pattern("640x480"), seconds=30),
    }


@pytest.fixture(autouse=True)
def encoded(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[int]:
    """How many pictures each part had that had to be encoded; media workers answer no bell here."""
    counts: list[int] = []
    real = encode.encode

    def counted(parts: Parts, chunk: Any, x264: Any) -> Any:
        counts.append(len(chunk.pictures))
        return real(parts, chunk, x264)

    monkeypatch.setattr(encode, "encode", counted)
    monkeypatch.setattr(bell, "answered", lambda _take_id: None)
    monkeypatch.setattr(bell, "ring", lambda _camera_id, _take_id: None)
    settings.CLIP_PRESET = "ultrafast"
    return counts


@dataclass
class Gate:
    """A pulled camera in scripted time: its stream's pictures and packets go where ingest puts them; somebody is in
    sight in some seconds; the recorder looks twice a second, and a media worker whenever it is asked."""

    camera: Camera
    now: float = START
    keeps_packets: bool = True
    ring: Ring = field(init=False)
    spool: Spool = field(init=False)
    packets: PacketRing = field(init=False)
    recorder: Recorder = field(init=False)
    seq: int = 0
    _worked_at: float = 0.0

    def __post_init__(self) -> None:
        self.spool = Spool(folders.of(self.camera.pk))
        self.ring = Ring(self.spool.folder / "ring", max_bytes=10**8)
        self.packets = PacketRing(self.spool.folder, max_bytes=10**8)
        self.recorder = Recorder(now=lambda: self.now)

    def play(self, film: Path, people: tuple[float, float], **more: Any) -> Gate:
        """`people`: from when until when somebody is in sight, in seconds from the beginning of this film."""
        began = self.now
        for came in streams.played(film, start=began, **more):
            self.take(came, is_seen=people[0] <= came.now - began <= people[1])
        return self

    def take(self, came: Came, *, is_seen: bool) -> None:
        self.now = came.now
        match came.item:
            case Packets(body=body) if self.keeps_packets:
                self.packets.put(body)
                self.packets.prune(older_than=self.now - django_settings.RING_S)
            case Picture(captured_at=at, jpeg=jpeg):
                self.picture(at, jpeg, is_seen=is_seen)
        self.work()

    def picture(self, at: float, jpeg: bytes, *, is_seen: bool) -> None:
        self.seq += 1
        frame = Frame(self.camera.pk, STREAM, self.seq, at, self.now, jpeg)
        picture = self.ring.put(frame)
        self.ring.prune(older_than=self.now - django_settings.RING_S)
        kind = Kind.ADMITTED if is_seen else Kind.NO_MOTION
        entry = self.spool.put(frame, kind, "", picture=picture if is_seen else None)
        if is_seen:
            self.spool.settle(entry.n, Outcome.ANALYSED, 1)
            self.spool.release(entry)

    def work(self, *, at_once: bool = False) -> None:
        if at_once or abs(self.now - self._worked_at) >= 0.5:
            self._worked_at = self.now
            self.recorder.tell()
            self.recorder.tick()

    def ends(self) -> Gate:
        """The camera is gone."""
        heard_at = self.now
        for second in range(3, 45):
            self.now = heard_at + second
            self.spool.append(Kind.NO_SIGHT, "silent", captured_at=heard_at, received_at=self.now)
            self.work(at_once=True)
        return self

    def encode(self) -> Gate:
        for folder in takes.folders_of(self.camera.pk):
            jobs.encode(self.camera.pk, folder.id)
        return self

    def clips(self) -> list[Recording]:
        return list(Recording.objects.order_by("start"))


@pytest.fixture
def gate(camera_x: Camera, told: Told) -> Gate:
    gate = Gate(camera_x)
    gate.recorder.tell()
    return gate


def assert_plays(clip: Recording, *, codec: str = "h264") -> dict[str, Any]:
    """The film is one that players like: index first, times that only grow, all of it there to be decoded."""
    path = footage.file_of(clip)
    told = probe(path)
    (stream,) = told["streams"]
    assert stream["codec_name"] == codec
    assert stream["codec_tag_string"] == {"h264": "avc1", "hevc": "hvc1"}[codec]
    boxes = path.read_bytes()[:64]
    assert b"moov" in boxes
    dts = [float(packet["dts_time"]) for packet in told["packets"]]
    assert dts == sorted(set(dts))
    assert told["packets"][0]["flags"].startswith("K")
    assert len(told["packets"]) == clip.frames
    assert sorted(seconds(told))[0] == pytest.approx(0, abs=0.001)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert sum(line[:1] != b"#" for line in done.stdout.splitlines()) == clip.frames
    assert poster.poster_of(path).stat().st_size > 500
    assert poster.strip_of(path).stat().st_size > 500
    assert Seal.objects.get(recording_id=clip.pk).sha256 == clip.sha256
    return told


def from_start(moment: datetime) -> float:
    return moment.timestamp() - START


@pytest.mark.parametrize(
    ("form", "codec", "group_s"), [("h264", "h264", 2), ("reordered", "h264", 2), ("h265", "hevc", 2)]
)
def test_a_clip_is_what_the_camera_sent(
    gate: Gate, films: dict[str, Path], encoded: list[int], form: str, codec: str, group_s: float
) -> None:
    gate.play(films[form], (9, 20)).encode()
    (clip,) = gate.clips()
    assert clip.state == Recording.State.READY
    assert encoded == []
    told = assert_plays(clip, codec=codec)
    # Wanted are five seconds before and after; it begins with the key picture before that.
    assert 4 - group_s - 0.1 <= from_start(clip.start) <= 4.1
    assert 24.5 <= from_start(clip.end) <= 25.6
    fps = 10 if form == "h265" else 25
    assert clip.frames == pytest.approx((clip.end - clip.start).total_seconds() * fps + 1, abs=1)
    assert shown(footage.file_of(clip)) < shown(films[form])
    assert len(told["packets"]) > 200
    assert footage.is_h265(clip) is (codec == "hevc")


def shown(film: Path) -> set[str]:
    """Checksums of the decoded pictures: what was encoded a second time has others."""
    command = ["ffmpeg", "-v", "error", "-i", str(film), "-f", "framemd5", "-"]
    told = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout
    return {line.split(",")[-1].strip() for line in told.splitlines() if not line.startswith("#")}


def test_the_times_are_those_of_the_pictures(gate: Gate, films: dict[str, Path]) -> None:
    gate.play(films["h264"], (9, 20)).encode()
    (clip,) = gate.clips()
    times = seconds(probe(footage.file_of(clip)))
    assert all(abs(later - earlier - 0.04) < 0.002 for earlier, later in pairwise(times))
    # The first picture of all is captured as it comes, and the others every 40 ms.
    offset = (from_start(clip.start) - streams.DELAY_S) % 0.04
    assert min(offset, 0.04 - offset) < 0.002
    assert moov.times([piece_of(footage.file_of(clip))]) == pytest.approx(times, abs=0.001)


def test_an_open_clip_can_be_watched(gate: Gate, films: dict[str, Path], tmp_path: Path, encoded: list[int]) -> None:
    gate.play(films["h264"], (3, 30), until_s=24).encode()
    (clip,) = gate.clips()
    assert clip.state == Recording.State.RECORDING
    parts = Parts(takes.folder_of(gate.camera.pk, str(clip.pk)).parts)
    assert len(parts.files()) == 2
    told = probe(concatenate(parts, tmp_path / "open.mp4"))
    times = seconds(told)
    assert times == sorted(times)
    assert times[-1] - times[0] > 19
    assert len(told["packets"]) == parts.read().frames == pytest.approx(25 * (times[-1] - times[0]) + 1, abs=1)
    assert encoded == []


def test_a_group_longer_than_the_clip_is_begun_where_it_begins(gate: Gate, films: dict[str, Path]) -> None:
    """Ten seconds from one key picture to the next: the clip cannot begin but with one."""
    gate.play(films["long"], (14, 20)).encode()
    (clip,) = gate.clips()
    assert from_start(clip.start) == pytest.approx(0, abs=0.1)
    assert from_start(clip.end) == pytest.approx(25, abs=0.6)
    assert_plays(clip)


def test_the_end_waits_for_its_packets(gate: Gate, films: dict[str, Path]) -> None:
    gate.play(films["h264"], (9, 20), until_s=25.3)
    (clip,) = gate.clips()
    assert clip.state == Recording.State.RECORDING  # Its last pictures are there, their packets are not.
    gate.ends().encode()
    (clip,) = gate.clips()
    assert clip.state == Recording.State.READY


def test_the_take_leaves_nothing_behind(gate: Gate, films: dict[str, Path]) -> None:
    gate.play(films["h264"], (9, 20)).encode()
    assert takes.folders_of(gate.camera.pk) == []


@pytest.mark.parametrize("killed_after", ["part", "state"])
def test_a_killed_worker_copies_nothing_twice(
    gate: Gate, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch, killed_after: str
) -> None:
    gate.play(films["h264"], (3, 20))

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if killed_after == "part":
            patched.setattr(Parts, "write", kill)
        else:
            patched.setattr(copy_parts, "drop", kill)
        with pytest.raises(Killed):
            gate.encode()
    gate.encode()
    (clip,) = gate.clips()
    assert_plays(clip)
    assert clip.frames == pytest.approx((clip.end - clip.start).total_seconds() * 25 + 1, abs=1)


SEEK = """async ([at, source]) => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = source;
    document.body.append(video);
    const heard = (name) => new Promise((done, failed) => {
        video.addEventListener(name, done, { once: true });
        video.addEventListener("error", () => failed(new Error(video.error.message)), { once: true });
    });
    await heard("loadeddata");
    video.currentTime = at;
    await heard("seeked");
    const there = video.currentTime;
    await video.play();
    await heard("ended");
    return { there, duration: video.duration, width: video.videoWidth, end: video.currentTime };
}"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("form", ["h264", "reordered"])
def test_a_browser_seeks_in_it_and_plays_it_to_its_end(gate: Gate, films: dict[str, Path], form: str) -> None:
    gate.play(films[form], (9, 20)).encode()
    (clip,) = gate.clips()
    path, duration = footage.file_of(clip), clip.duration_s
    with sync_playwright() as playwright:
        browser = webcam.chromium(playwright)
        page = browser.new_page()
        page.goto(path.with_suffix(".jpg").as_uri())  # A page of the same origin as the film.
        told = page.evaluate(SEEK, [duration - 2.5, path.as_uri()])
        browser.close()
    assert told["there"] == pytest.approx(duration - 2.5, abs=0.1)
    assert told["duration"] == pytest.approx(duration, abs=0.2)
    assert told["end"] == pytest.approx(told["duration"], abs=0.1)
    assert told["width"] == 320


@pytest.mark.parametrize(("form", "codec"), [("reordered", "h264"), ("h265", "hevc")])
def test_a_stretch_of_it_can_be_taken_away(
    gate: Gate, films: dict[str, Path], tmp_path: Path, form: str, codec: str
) -> None:
    gate.play(films[form], (9, 20)).encode()
    (clip,) = gate.clips()
    stretches = [Stretch(footage.file_of(clip), 5, 9), Stretch(footage.file_of(clip), 12, 15)]
    film.join(stretches, tmp_path / "film.mp4", FASTEST, lambda _done: None)
    told = probe(tmp_path / "film.mp4")
    assert told["streams"][0]["codec_name"] == codec
    assert told["streams"][0]["codec_tag_string"] == {"h264": "avc1", "hevc": "hvc1"}[codec]
    dts = [float(packet["dts_time"]) for packet in told["packets"]]
    assert dts == sorted(set(dts))
    assert 7 <= float(told["format"]["duration"]) <= 11.5
    assert shown(tmp_path / "film.mp4") <= shown(films[form])


def assert_decodes(path: Path) -> None:
    """To pictures of which each belongs there: decoders that hide mistakes say so."""
    command = ["ffmpeg", "-v", "warning", "-i", str(path), "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    assert subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stderr == ""


def test_open_groups_are_whole_in_clips_and_where_a_film_joins_them(
    gate: Gate, films: dict[str, Path], tmp_path: Path, encoded: list[int]
) -> None:
    """What is shown before a key picture refers to what was before it, which is not there where clips are joined."""
    gate.play(films["open"], (9, 20)).ends()
    gate.now += 5
    gate.play(films["open"], (7, 15)).ends().encode()
    first, second = gate.clips()
    assert encoded == []
    for clip in (first, second):
        assert_decodes(footage.file_of(clip))
        assert_plays(clip, codec="hevc")
    spans = [(first, 3, 8), (first, 11, 16), (second, 0, 99), (second, 4, 9), (first, 2, 7)]
    stretches = [Stretch(footage.file_of(clip), start, min(end, clip.duration_s)) for clip, start, end in spans]
    film.join(stretches, tmp_path / "film.mp4", FASTEST, lambda _done: None)
    assert_decodes(tmp_path / "film.mp4")
    told = probe(tmp_path / "film.mp4")
    dts = [float(packet["dts_time"]) for packet in told["packets"]]
    assert dts == sorted(set(dts))
    whole = sum(stretch.end_s - stretch.start_s for stretch in stretches)
    assert whole - 1 <= float(told["format"]["duration"]) <= whole + 2.5 * len(stretches)
    assert shown(tmp_path / "film.mp4") <= shown(films["open"])
    times = sorted(seconds(told))
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.5
    frames = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "frame=pts", "-of", "csv=p=0", str(tmp_path / "film.mp4")],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert len(frames) == len(times)


def test_open_groups_are_whole_after_the_camera_was_away(
    gate: Gate, films: dict[str, Path], tmp_path: Path, encoded: list[int]
) -> None:
    """It goes on in the middle of what it sends."""
    later = tmp_path / "later.mp4"
    command = ["ffmpeg", "-v", "error", "-ss", "6.5", "-i", str(films["open"]), "-c", "copy", str(later)]
    subprocess.run(command, check=True, timeout=60)
    gate.play(films["open"], (6, 99), until_s=13)
    gate.now += 3
    gate.play(later, (0, 5), until_s=20).ends().encode()
    (clip,) = gate.clips()
    assert encoded == []
    assert_decodes(footage.file_of(clip))
    assert_plays(clip, codec="hevc")
    assert shown(footage.file_of(clip)) <= shown(films["open"])


def test_stretches_of_different_forms_become_one_film(gate: Gate, films: dict[str, Path], tmp_path: Path) -> None:
    gate.play(films["reordered"], (9, 20)).encode()
    gate.ends()
    gate.play(films["h265"], (9, 20)).encode()
    first, second = [footage.file_of(clip) for clip in gate.clips()]
    film.join([Stretch(first, 5, 9), Stretch(second, 5, 9)], tmp_path / "film.mp4", FASTEST, lambda _done: None)
    told = probe(tmp_path / "film.mp4")
    times = seconds(told)
    assert times == sorted(times)
    assert 8 <= times[-1] <= 13
    assert len(times) >= 4 * 25 + 4 * 10


# --- What cannot be copied ---


def test_without_packets_the_pictures_are_encoded(gate: Gate, films: dict[str, Path], encoded: list[int]) -> None:
    gate.keeps_packets = False
    gate.play(films["h264"], (9, 20)).encode()
    (clip,) = gate.clips()
    assert sum(encoded) == clip.frames == pytest.approx(105, abs=3)
    assert_plays(clip)


def test_packets_that_stop_coming_are_gone_on_from_with_pictures(
    gate: Gate, films: dict[str, Path], encoded: list[int]
) -> None:
    for came in streams.played(films["h264"], start=START):
        gate.keeps_packets = came.now < START + 15
        gate.take(came, is_seen=9 <= came.now - START <= 20)
    gate.ends().encode()
    (clip,) = gate.clips()
    assert sum(encoded) > 20
    assert_plays(clip)
    assert from_start(clip.start) <= 4.1
    assert from_start(clip.end) >= 24.5


def test_a_camera_that_changes_its_size_gets_one_clip_that_plays(
    gate: Gate, films: dict[str, Path], encoded: list[int]
) -> None:
    gate.play(films["h264"], (9, 99), until_s=16)
    gate.play(films["large"], (0, 5), until_s=25).encode()
    (clip,) = gate.clips()
    told = assert_plays(clip)
    assert (told["streams"][0]["width"], told["streams"][0]["height"]) == (320, 240)
    assert from_start(clip.end) - from_start(clip.start) == pytest.approx(16 + 10 - 4, abs=2.5)
    assert sum(encoded) > 0


def test_a_camera_that_changes_its_codec_gets_one_clip_that_plays(gate: Gate, films: dict[str, Path]) -> None:
    gate.play(films["h265"], (9, 99), until_s=16)
    gate.play(films["h264"], (0, 5), until_s=25).encode()
    (clip,) = gate.clips()
    assert_plays(clip)
    assert from_start(clip.end) - from_start(clip.start) == pytest.approx(16 + 10 - 4, abs=2.5)


def test_a_camera_that_was_away_for_a_moment_is_copied_on_both_sides(
    gate: Gate, films: dict[str, Path], encoded: list[int]
) -> None:
    gate.play(films["h264"], (6, 99), until_s=13)
    gate.now += 3
    gate.play(films["h264"], (0, 5), until_s=25).encode()
    (clip,) = gate.clips()
    assert encoded == []
    told = assert_plays(clip)
    times = seconds(told)
    assert max(later - earlier for earlier, later in pairwise(times)) == pytest.approx(3, abs=1.2)


def test_a_damaged_file_costs_no_clip(gate: Gate, films: dict[str, Path], encoded: list[int]) -> None:
    gate.play(films["h264"], (9, 20))
    (folder,) = takes.folders_of(gate.camera.pk)
    damaged = sorted((folder.path / packets.FOLDER).iterdir())[4]
    damaged.write_bytes(damaged.read_bytes()[:1_000])
    gate.encode()
    (clip,) = gate.clips()
    assert sum(encoded) > 0
    assert_plays(clip)


# --- Masks ---


def test_a_masked_camera_is_never_copied(gate: Gate, films: dict[str, Path], encoded: list[int]) -> None:
    masking.write(gate.camera.pk, zones.as_masks(1, [EVERYTHING]))
    gate.play(films["h264"], (9, 20)).encode()  # As by a reader that does not know of the mask yet.
    assert packets.names_in(gate.packets.folder) == []
    (clip,) = gate.clips()
    assert sum(encoded) == clip.frames
    assert_plays(clip)


def test_a_mask_drawn_during_a_clip_ends_copying_at_once(
    gate: Gate, films: dict[str, Path], encoded: list[int]
) -> None:
    """What was sent before it is dropped as well, from the ring and from what the take has linked."""
    for came in streams.played(films["h264"], start=START):
        if came.now >= START + 13 and not masking.read(gate.spool.folder).polygons:
            masking.write(gate.camera.pk, zones.as_masks(1, [EVERYTHING]))
            assert not list(gate.spool.folder.rglob("*.gop"))
        gate.take(came, is_seen=9 <= came.now - START <= 20)
    assert not list(gate.spool.folder.rglob("*.gop"))
    gate.encode()
    (clip,) = gate.clips()
    assert sum(encoded) == clip.frames
    assert_plays(clip)


def test_a_reader_that_masks_sends_no_packets(films: dict[str, Path]) -> None:
    masked = ForReader(1, "file:", 5.0, masks=(EVERYTHING,), copies_packets=True)
    items = [came.item for came in streams.played(films["h264"], start=START, settings=masked)]
    assert items
    assert not [item for item in items if isinstance(item, Packets)]
