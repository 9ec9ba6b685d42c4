"""Decoding on demand: as many pictures as wanted, as little decoded as can be, and times by our own clock."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from cameras import images, packets
from cameras.pull import file, nal
from cameras.pull.bits import Bits
from cameras.pull.decode import Decoding
from cameras.pull.source import Control, Packets, Picture, Settings
from cameras.pull.times import CaptureClock
from tests.cameras.pull import streams

START = 1_700_000_000.3


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    back = streams.encode(folder / "a.ts", *streams.pattern(), seconds=4, group=25)
    again = folder / "again.ts"
    again.write_bytes(back.read_bytes() * 2)
    return {
        "room": streams.encode(folder / "room.mp4", *streams.still(), seconds=20, group=50),
        "often": streams.encode(folder / "often.mp4", *streams.still(), seconds=9, group=25),
        "pattern": streams.encode(folder / "pattern.mp4", *streams.pattern(), seconds=10, group=50),
        "reordered": streams.encode(folder / "reordered.mp4", *streams.pattern(), seconds=10, group=50, reordered=2),
        "again": again,
        "colours": streams.encode(
            folder / "hd.mp4", "-f", "lavfi", "-i", "color=c=0x3060c0:size=1280x720:rate=5", seconds=1, group=5
        ),
    }


def decode(film: Path, control: Control) -> tuple[Decoding, list[Picture]]:
    shown: list[Picture] = []
    with film.open("rb") as opened, av.open(opened) as container:
        stream = container.streams.video[0]
        decoding = Decoding(stream, Settings(1, "file:", control.fps), control)
        for packet in file.annex_b(container, stream):
            assert packet.dts is not None
            assert packet.time_base is not None
            now = START + float(packet.dts * packet.time_base) + streams.DELAY_S
            shown += [item for item in decoding.feed(packet, now) if isinstance(item, Picture)]
    return decoding, shown


@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0, 8.0, 25.0])
@pytest.mark.parametrize("film", ["pattern", "reordered"])
def test_pictures_come_at_the_rate_that_is_wanted(films: dict[str, Path], fps: float, film: str) -> None:
    _decoding, shown = decode(films[film], Control(fps))
    assert len(shown) == pytest.approx(10 * fps, abs=max(2, 0.15 * fps))
    steps = [later.captured_at - earlier.captured_at for earlier, later in pairwise(shown)]
    assert min(steps) >= 0.5 / fps
    assert max(steps) <= 1.9 / fps


def test_a_quiet_camera_of_short_groups_costs_its_key_pictures_only(films: dict[str, Path]) -> None:
    control = Control(5.0)
    control.is_quiet = True
    decoding, shown = decode(films["often"], control)
    assert len(shown) <= 10  # Of the first group nobody knows how long it will be.
    assert decoding.decoded <= 9 + 25
    assert decoding.packets == 225


def test_a_quiet_camera_gives_a_picture_in_every_second_of_the_clock(films: dict[str, Path]) -> None:
    control = Control(5.0)
    control.is_quiet = True
    decoding, shown = decode(films["room"], control)
    quiet = [picture for picture in shown if picture.captured_at < START + 9.5]
    assert {int(picture.captured_at - int(START)) for picture in quiet} == set(range(10))
    assert len(quiet) <= 12
    assert decoding.decoded < 0.75 * decoding.packets


def test_what_stirs_in_a_quiet_camera_is_seen_at_once(films: dict[str, Path]) -> None:
    control = Control(5.0)
    control.is_quiet = True
    _decoding, shown = decode(films["room"], control)
    after = [picture.captured_at - START for picture in shown if picture.captured_at > START + 10.05]
    assert after[0] < 10.35
    assert len([at for at in after if at < 11.5]) >= 5  # At the full rate.


def test_times_that_jump_back_do_not_disturb(films: dict[str, Path]) -> None:
    shown: list[Picture] = []
    groups: list[packets.Name] = []
    control = Control(5.0)
    with films["again"].open("rb") as opened, av.open(opened) as container:
        stream = container.streams.video[0]
        decoding = Decoding(stream, Settings(1, "file:", 5.0, copies_packets=True), control)
        jumps, last, now = 0, 0.0, START
        for packet in file.annex_b(container, stream):
            at = float((packet.dts or 0) * packet.time_base)
            jumps += at < last
            now += 0.04
            last = at
            for item in decoding.feed(packet, now):
                if isinstance(item, Picture):
                    shown.append(item)
                elif isinstance(item, Packets):
                    groups.append(packets.name_in(item.body))
    assert jumps == 1
    steps = [later.captured_at - earlier.captured_at for earlier, later in pairwise(shown)]
    assert min(steps) > 0
    assert max(steps) < 0.45
    assert all(earlier.last_us < later.first_us for earlier, later in pairwise(groups))
    assert shown[-1].captured_at == pytest.approx(now, abs=0.4)


def test_colours_of_hd_are_those_of_a_jpeg(films: dict[str, Path]) -> None:
    """Video of this size means other colours by the same numbers, and leaves out both ends of their range."""
    _decoding, shown = decode(films["colours"], Control(5.0))
    blue, green, red = images.decode_bgr(shown[0].jpeg)[300:400, 300:400].reshape(-1, 3).mean(axis=0)
    # ffmpeg makes its plain colours by BT.601 and does not say so; read as BT.709, as players do, they are these.
    assert np.allclose((red, green, blue), expected_rgb(films["colours"]), atol=6)


def expected_rgb(film: Path) -> tuple[float, float, float]:
    """By the definition of BT.709, from the decoded numbers."""
    with av.open(str(film)) as container:
        frame = next(container.decode(video=0))
    y, u, v = (float(np.frombuffer(memoryview(plane), np.uint8)[1_000]) for plane in frame.planes)
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    rgb = y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u
    return tuple(255 * min(1, max(0, value)) for value in rgb)  # type: ignore[return-value]


# --- Clocks, sizes, parameter sets ---


def test_the_clock_ties_the_cameras_time_to_ours_by_the_least_delay() -> None:
    clock = CaptureClock()
    delays = [0.3, 0.05, 0.2, 0.4, 0.05, 0.1]
    times = [
        clock.captured_at(index / 25, index / 25, START + index / 25 + delay) for index, delay in enumerate(delays)
    ]
    assert times[1:] == pytest.approx([START + index / 25 + 0.05 for index in range(1, 6)])


def test_what_a_stall_held_back_keeps_its_own_times() -> None:
    clock = CaptureClock()
    for index in range(50):
        clock.captured_at(index / 25, index / 25, START + index / 25)
    held = [clock.captured_at(index / 25, index / 25, START + 5 + index / 1_000) for index in range(50, 120)]
    assert held == pytest.approx([START + index / 25 for index in range(50, 120)], abs=0.06)


@pytest.mark.parametrize("jump", [-3_600.0, -5.0, 60.0, 1e6])
def test_a_clock_that_was_set_begins_anew(jump: float) -> None:
    clock = CaptureClock()
    for index in range(50):
        clock.captured_at(index / 25, index / 25, START + index / 25)
    at = 2 + jump
    assert clock.captured_at(at, at, START + 2) == pytest.approx(START + 2)
    assert clock.captured_at(at + 0.04, at + 0.04, START + 2.04) == pytest.approx(START + 2.04)


def test_a_clock_that_runs_slow_is_followed() -> None:
    clock, last = CaptureClock(), 0.0
    for index in range(25 * 600):
        now = START + index / 25
        last = now - clock.captured_at(index / 25 * 0.9995, index / 25 * 0.9995, now)
    assert abs(last) < 0.05


def test_noise_does_not_stir_and_somebody_does() -> None:
    random = np.random.default_rng(7)
    bits = Bits()
    assert not any(bits.stirs(int(random.normal(3_000, 300))) for _ in range(2_000))
    assert any(bits.stirs(9_000) for _ in range(3))
    quiet = Bits()
    assert not any(quiet.stirs(40) for _ in range(500))
    assert not quiet.stirs(5_000)  # One is a whim,
    assert quiet.stirs(5_000)  # two are somebody.


def test_parameter_sets_are_found_before_the_slices() -> None:
    sps, pps, slice_ = b"\x67abc", b"\x68d", b"\x65" + bytes(100)
    unit = b"\0\0\0\1"
    data = unit + b"\x09\xf0" + unit + sps + b"\0\0\1" + pps + unit + slice_ + unit + b"\x67late"
    assert nal.parameter_sets("h264", data) == unit + sps + unit + pps
    assert nal.parameter_sets("h264", unit + slice_) == b""
    assert nal.parameter_sets("hevc", b"") == b""
    assert nal.parameter_sets("hevc", unit + b"\x40\x01v" + unit + b"\x42\x01s" + unit + b"\x26\x01x") == (
        unit + b"\x40\x01v" + unit + b"\x42\x01s"
    )


@pytest.mark.parametrize(
    ("codec", "data", "expected"),
    [
        # Each slice of the picture, and nothing of its parameter sets.
        ("hevc", "000001 4201aa 000001 2a01bb 00000001 2a01cc", "000001 4201aa 000001 2201bb 00000001 2201cc"),
        # A picture with which all begins anyway.
        ("hevc", "000001 2601bb", "000001 2601bb"),
        # H.264 has no such mark.
        ("h264", "000001 2a01bb", "000001 2a01bb"),
    ],
)
def test_a_key_picture_can_be_marked_as_a_new_beginning(codec: str, data: str, expected: str) -> None:
    assert nal.begun_anew(codec, bytes.fromhex(data)).hex() == expected.replace(" ", "")


def test_a_key_picture_in_an_mp4_can_be_marked_as_a_new_beginning() -> None:
    data = bytes.fromhex("00000003 4201aa 00000004 2a012a2a 00000003 2b01cc")
    expected = bytes.fromhex("00000003 4201aa 00000004 22012a2a 00000003 2301cc")
    assert nal.begun_anew("hevc", data, is_in_mp4=True) == expected
