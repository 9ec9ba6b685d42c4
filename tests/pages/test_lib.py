"""The shared script modules, run in a real Chromium: wire format, clock, outbox, quality, texts."""

from __future__ import annotations

import struct

import pytest

from cameras import frames
from detections.templatetags.durations import duration
from tests.pages.conftest import Run

pytestmark = pytest.mark.browser

OUTBOX = """
const { Outbox } = await load("lib/outbox");
const box = new Outbox(argument ?? {});
const jpeg = (bytes = 10) => new ArrayBuffer(bytes);
const add = (count, everyMs = 200, fromMs = 0) => {
  for (let n = 0; n < count; n++) box.add({ atMs: fromMs + n * everyMs, jpeg: jpeg() });
};
const takeAll = (credit, nowMs) => {
  const seqs = [];
  for (let frame = box.take(credit, nowMs); frame; frame = box.take(credit, nowMs)) seqs.push(frame.seq);
  return seqs;
};
"""
QUALITY = """
const { Quality } = await load("lib/quality");
const quality = new Quality();
quality.welcome({ credit: 2, targetFps: 5, maxBytes: 100_000 });
quality.picture({ width: 640, height: 480, bytes: 30_000 }, 0);
let nowMs = 10_000;
const answer = (count, rttMs, targetFps = 5, credit = 2) => {
  for (let n = 0; n < count; n++) quality.answer({ rttMs, credit, targetFps }, nowMs += 200);
};
"""


# --- The wire ---


def test_a_frame_is_read_by_the_server_as_it_was_written(run: Run) -> None:
    body = """
      const { encodeFrame } = await load("lib/protocol");
      const jpeg = new Uint8Array([255, 216, 7]).buffer;
      return [...encodeFrame({ seq: 4_000_000_000, capturedAt: 1_700_000_000.125, jpeg, maskVersion: 65_535 })];
    """
    message = bytes(run(body))
    frame = frames.parse(message, camera_id=1, stream="a" * 32, received_at=0, max_bytes=100)
    assert (frame.seq, frame.captured_at, frame.jpeg) == (4_000_000_000, 1_700_000_000.125, b"\xff\xd8\x07")
    assert frame.mask_version == 65_535


def test_a_live_picture_is_read_as_the_server_wrote_it(run: Run) -> None:
    name = "jeongmun"
    message = bytes([len(name)]) + name.encode() + frames.header(7, 12.5) + b"\xff\xd8\x01"
    body = """
      const { decodePicture } = await load("lib/protocol");
      const picture = decodePicture(new Uint8Array(argument).buffer);
      return { ...picture, jpeg: [...picture.jpeg] };
    """
    assert run(body, list(message)) == {"camera": name, "seq": 7, "capturedAt": 12.5, "jpeg": [255, 216, 1]}


@pytest.mark.parametrize(
    "message", [b"", b"\x04gate", b"\x01a" + struct.pack("!BBHId", 2, 0, 0, 1, 0.0) + b"x", b"\xff"]
)
def test_what_is_no_picture_is_none(run: Run, message: bytes) -> None:
    body = 'return (await load("lib/protocol")).decodePicture(new Uint8Array(argument).buffer);'
    assert run(body, list(message)) is None


@pytest.mark.parametrize("text", ["", "[]", "null", '{"seq":1}', '{"type":5}', "{"])
def test_what_is_no_message_is_none(run: Run, text: str) -> None:
    assert run('return (await load("lib/protocol")).decodeMessage(argument);', text) is None


def test_streams_are_named_by_fresh_random_bits(run: Run) -> None:
    names = run('const { newStream } = await load("lib/protocol"); return [newStream(), newStream()];')
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)
    assert names[0] != names[1]


# --- Clock and back-off ---


def test_the_servers_time_is_taken_half_a_round_trip_ago(run: Run) -> None:
    body = """
      const { ServerClock } = await load("lib/clock");
      const clock = new ServerClock();
      clock.correct(1_000, 50_000, 50_400);
      return [clock.at(50_400), clock.at(51_400), clock.hasJumped()];
    """
    assert run(body) == [1_000.2, 1_001.2, False]


def test_a_busy_servers_slow_greeting_does_not_set_the_clock_ahead(run: Run) -> None:
    body = """
      const { ServerClock } = await load("lib/clock");
      const clock = new ServerClock();
      clock.correct(1_000, 50_000, 56_000);
      return clock.at(56_000);
    """
    assert run(body) == 1_000.2


def test_a_sleep_of_the_machine_is_noticed(run: Run) -> None:
    body = """
      const { ServerClock, steadyMs } = await load("lib/clock");
      const clock = new ServerClock();
      clock.correct(1_000, steadyMs(), steadyMs());
      const now = Date.now;
      Date.now = () => now() + 3_000;
      return clock.hasJumped();
    """
    assert run(body) is True


def test_tries_grow_rarer_up_to_ten_seconds_and_are_spread(run: Run) -> None:
    body = """
      const { Backoff } = await load("lib/backoff");
      const delays = (random) => {
        const backoff = new Backoff(() => random);
        return Array.from({ length: 10 }, () => backoff.nextMs());
      };
      const backoff = new Backoff(() => 1);
      backoff.nextMs();
      backoff.nextMs();
      backoff.reset();
      return [delays(1), delays(0), backoff.nextMs()];
    """
    longest, shortest, after_reset = run(body)
    assert longest[:3] == [500, 750, 1_125]
    assert longest[-2:] == [10_000, 10_000]
    assert shortest == [delay / 2 for delay in longest]
    assert after_reset == 500


# --- Frames that wait ---


def test_the_oldest_goes_first_and_never_more_than_the_credit(run: Run) -> None:
    body = OUTBOX + "add(5); const first = takeAll(2, 900); box.answer(1, 'admitted'); return [first, takeAll(2, 900)];"
    assert run(body) == [[1, 2], [3]]


def test_frames_of_an_outage_are_kept_for_thirty_seconds(run: Run) -> None:
    body = OUTBOX + "add(200, 200); return [box.waiting, box.lost, box.waitingMs(39_800)];"
    waiting, lost, oldest_ms = run(body)
    assert (waiting + lost, oldest_ms) == (200, 30_000)
    assert waiting == 151


def test_their_bytes_are_bounded(run: Run) -> None:
    body = OUTBOX + "add(50, 10); return [box.bytes, box.waiting, box.lost, takeAll(1, 500)];"
    assert run(body, {"maxBytes": 100}) == [100, 10, 40, [41]]


def test_what_the_server_has_judged_is_not_sent_again(run: Run) -> None:
    body = OUTBOX + "add(6); takeAll(3, 1_200); box.connectionLost(); box.resume(2); return takeAll(9, 1_200);"
    assert run(body) == [3, 4, 5, 6]


def test_a_busy_frame_goes_again_before_newer_ones(run: Run) -> None:
    body = (
        OUTBOX
        + """
      add(4);
      takeAll(2, 800);
      box.answer(1, "busy");
      box.answer(2, "busy");
      return [takeAll(2, 900), box.lost];
    """
    )
    assert run(body) == [[1, 2], 0]


def test_a_busy_frame_is_given_up_once_a_later_one_was_taken(run: Run) -> None:
    body = (
        OUTBOX
        + """
      add(4);
      takeAll(2, 800);
      box.answer(1, "busy");
      box.answer(2, "admitted");
      return [takeAll(2, 900), box.lost];
    """
    )
    assert run(body) == [[3, 4], 1]


def test_an_invalid_frame_is_not_sent_again(run: Run) -> None:
    body = OUTBOX + "add(2); takeAll(1, 0); box.answer(1, 'invalid'); return [takeAll(2, 400), box.bytes];"
    assert run(body) == [[2], 10]


def test_while_the_server_is_busy_every_second_keeps_one_frame(run: Run) -> None:
    body = OUTBOX + "add(50, 200); box.thin(9_800); return takeAll(99, 9_800);"
    # Of the seconds 0 to 7 the first frame each; the last two seconds stay whole.
    assert run(body) == [1, 6, 11, 16, 21, 26, 31, 36, *range(40, 51)]


def test_a_frame_sent_again_is_the_same_frame(run: Run) -> None:
    body = (
        OUTBOX
        + """
      add(1);
      const frame = box.take(1, 0);
      frame.capturedAt = 5;
      box.connectionLost();
      return box.take(1, 100).capturedAt;
    """
    )
    assert run(body) == 5


# --- Rate, size and quality ---


def test_a_quick_line_gets_what_the_server_asks_for(run: Run) -> None:
    body = QUALITY + "answer(20, 30); return quality.settings;"
    assert run(body) == {"fps": 5, "longestPx": 640, "quality": 0.85}


def test_a_slow_line_gets_smaller_pictures_and_then_fewer(run: Run) -> None:
    body = QUALITY + "answer(100, 900); return quality.settings;"
    settings = run(body)
    assert settings["fps"] == pytest.approx(2.0, abs=0.1)  # Two under way, nine tenths of a second each.
    assert (settings["longestPx"], settings["quality"]) == (320, 0.6)


def test_quality_comes_back_with_the_line(run: Run) -> None:
    body = QUALITY + "answer(100, 900); answer(400, 30); return quality.settings;"
    assert run(body) == {"fps": 5, "longestPx": 640, "quality": 0.85}


def test_the_servers_wish_is_followed_at_once(run: Run) -> None:
    assert run(QUALITY + "answer(1, 30, 0.7, 1); return quality.settings.fps;") == 0.7


def test_pictures_stay_under_the_servers_size(run: Run) -> None:
    body = (
        QUALITY
        + """
      quality.picture({ width: 1920, height: 1080, bytes: 120_000 }, nowMs);
      return quality.settings;
    """
    )
    assert run(body) == {"fps": 5, "longestPx": 1280, "quality": 0.7}


# --- Words ---


def test_texts_are_filled_in_and_counted(run: Run) -> None:
    body = """
      const { countText, text } = await load("lib/texts");
      return [text("hello", { name: "<b>" }), countText("n", 1), countText("n", 3), text("unknown.key")];
    """
    assert run(body) == ["Hello <b>", "1 person", "3 people", "unknown.key"]


def test_scripts_and_templates_write_a_duration_alike(run: Run) -> None:
    seconds = [0, 9.9, 61, 3_599, 3_600, 36_061, -5]
    body = 'const { durationText } = await load("lib/texts"); return argument.map(durationText);'
    assert run(body, seconds) == [duration(each) for each in seconds]
