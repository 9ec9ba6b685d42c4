"""Ten thousand damaged frames through the real socket: each is answered and counted, nothing crashes, nothing leaks."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import cv2
import pytest
from websockets.exceptions import ConnectionClosed

from cameras.frames import HEADER
from tests.flow.post import PATIENCE_S, Line, Post, Site, frame, picture
from tests.source import read_clip

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

MESSAGES, POSTS, SEED = 10_000, 8, 20_260_301
WARM = MESSAGES // 2  # Until then buffers and caches grow to their size.
MOST_GROWTH = 40_000_000  # A leak of one picture per message would be 55 MB.
VERDICTS = {"admitted", "no_motion", "no_person", "busy", "invalid"}


# --- Damage ----------------------------------------------------------------------------------------------------------


def flip(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    damaged = bytearray(jpeg)
    for _ in range(source.choice((1, 1, 3, 20, 200))):
        damaged[source.randrange(len(damaged))] = source.randrange(256)
    return bytes(damaged)


def flip_tables(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    """In the first bytes, where sizes, tables and components are told."""
    damaged = bytearray(jpeg)
    for _ in range(source.choice((1, 2, 5))):
        damaged[source.randrange(min(700, len(damaged)))] = source.randrange(256)
    return bytes(damaged)


def flip_scan(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    """In the coded data alone and without markers, so that only a decoder sees the damage."""
    damaged, begin = bytearray(jpeg), jpeg.rfind(b"\xff\xda") + 14
    for _ in range(source.choice((1, 3, 20))):
        at = source.randrange(begin, len(damaged) - 2)
        if 0xFF not in damaged[at - 1 : at + 1]:
            damaged[at] = source.randrange(255)
    return bytes(damaged)


def resize(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    """Says that it is of another size, down to a line of one pixel's width."""
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) + 5
    edges = (1, 2, 7, 8, 9, 16, 17, 100, 640, 3_000, 65_535)
    return jpeg[:at] + struct.pack("!HH", source.choice(edges), source.choice(edges)) + jpeg[at + 4 :]


def truncate(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    end = source.randrange(len(jpeg))
    return jpeg[:end] + source.choice((b"", b"\xff\xd9", b"\xff", bytes(100)))


def repeat(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    start, end = sorted(source.sample(range(len(jpeg)), 2))
    return jpeg[:end] + jpeg[start:end] * source.choice((1, 2, 5)) + jpeg[end:]


def cut(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    start, end = sorted(source.sample(range(len(jpeg)), 2))
    return jpeg[:start] + jpeg[end:]


def splice(source: random.Random, jpeg: bytes, other: bytes) -> bytes:
    """The beginning of one picture and the end of another, at any place or where markers are."""
    if source.random() < 0.5:
        return jpeg[: source.randrange(len(jpeg))] + other[source.randrange(len(other)) :]
    return jpeg[: source.choice(markers(jpeg))] + other[source.choice(markers(other)) :]


def markers(jpeg: bytes) -> list[int]:
    return [at for at in range(len(jpeg) - 1) if jpeg[at] == 0xFF and jpeg[at + 1] not in (0, 0xFF)]


def insert(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    """A segment of any kind, whose length may be a lie."""
    body = source.randbytes(source.randrange(40))
    length = source.choice((len(body) + 2, 0, 1, 2, 65_535))
    at = source.choice(markers(jpeg))
    return jpeg[:at] + bytes([0xFF, source.randrange(1, 255)]) + struct.pack("!H", length) + body + jpeg[at:]


def blank(source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    start, end = sorted(source.sample(range(len(jpeg)), 2))
    return jpeg[:start] + bytes([source.choice((0, 0xFF, 0x55))]) * (end - start) + jpeg[end:]


def keep(_source: random.Random, jpeg: bytes, _other: bytes) -> bytes:
    return jpeg


DAMAGES: list[Callable[[random.Random, bytes, bytes], bytes]] = [
    *(flip, flip_tables, flip_tables, flip_scan, flip_scan, flip_scan, resize, resize, truncate, repeat, cut),
    *(splice, splice, insert, blank, keep, keep),
]


def messages(corpus: list[bytes], seed: int) -> Iterator[Callable[[int], str | bytes]]:
    """Messages without end, each to be completed with the next sequence number."""
    source = random.Random(seed)

    def whole(seq: int) -> bytes:
        return frame(seq, jpeg)

    def bad_header(seq: int) -> bytes:
        damaged = bytearray(frame(seq, jpeg))
        for _ in range(source.choice((1, 1, 2, 4, 16))):
            damaged[source.randrange(HEADER.size)] = source.randrange(256)
        return bytes(damaged)

    def noise(_seq: int) -> bytes:
        return source.randbytes(source.choice((0, 1, 15, 16, 17, 100, 5_000)))

    def text(_seq: int) -> str:
        return "".join(chr(source.choice((0, 34, 91, 123, 0xAC00, 0x1F600))) for _ in range(source.randrange(50)))

    while True:
        jpeg, other = source.choice(corpus), source.choice(corpus)
        jpeg = source.choice(DAMAGES)(source, jpeg, other)
        yield source.choices((whole, bad_header, noise, text), (85, 10, 4, 1))[0]


@pytest.fixture(scope="module")
def corpus(test_data: Path) -> list[bytes]:
    """Real pictures: of a webcam and of other encoders, grey and progressive ones too."""
    frames = read_clip(test_data / "videos" / "one-by-one-person-detection.mp4", (0, 120, 121, 122), width=320)
    files = sorted((test_data / "labelled" / "coco_val128").rglob("*.jpg"), key=lambda path: path.stat().st_size)
    grey = cv2.imencode(".jpg", cv2.imdecode(_array(frames[1]), cv2.IMREAD_GRAYSCALE))[1].tobytes()
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    in_scans = cv2.imencode(".jpg", cv2.imdecode(_array(frames[2]), cv2.IMREAD_COLOR), progressive)[1].tobytes()
    return [*frames, grey, in_scans, *(path.read_bytes() for path in files[:4]), picture(size_wh=(64, 48))]


def _array(jpeg: bytes) -> cv2.typing.MatLike:
    import numpy as np

    return np.frombuffer(jpeg, np.uint8)


# --- The run ---------------------------------------------------------------------------------------------------------


class Fuzzer:
    """One post that sends its share, one message after another, and connects anew when it is thrown out."""

    def __init__(self, site: Site, post: Post, corpus: list[bytes], seed: int) -> None:
        self.site = site
        self.post = post
        self.sent = 0
        self.answers: Counter[str] = Counter()
        self.connections = 0
        self._messages = messages(corpus, seed)
        self._seq = 0

    async def run(self, count: int) -> None:
        until = self.sent + count
        while self.sent < until:
            async with AsyncExitStack() as stack:
                line = await stack.enter_async_context(self.site.dial(self.post))
                self.connections += 1
                stream = f"{self.post.id:016x}{self.connections:016x}"
                hello = {"type": "hello", "protocol": 1, "stream": stream}
                assert (await line.ask(json.dumps(hello)))["type"] == "welcome"
                await self._talk(line, until)

    async def _talk(self, line: Line, until: int) -> None:
        self._seq, is_open = 0, True
        while self.sent < until and is_open:
            self._seq += 1
            message = next(self._messages)(self._seq)
            with suppress(ConnectionClosed):  # It may be closed already; what was said before can still be heard.
                await line.send(message)
            answer = await line.hear()
            if answer.get("code") == "too_many_bad_frames":  # This one was not read any more.
                assert await line.end() == (1008, [])
                return
            self.sent += 1
            is_open = await self._check(line, message, answer)

    async def _check(self, line: Line, message: str | bytes, answer: dict[str, object]) -> bool:
        """Whether the connection goes on: not when its number has run away, nor when it was one bad frame too many."""
        if answer["type"] == "error":
            assert answer["code"] in {"not_binary", "short_header"}, answer
            self.answers["invalid"] += 1
        else:
            assert isinstance(message, bytes)
            seq = HEADER.unpack_from(message)[3]
            assert (answer["type"], answer["seq"]) == ("ack", seq), answer
            assert answer["verdict"] in VERDICTS, answer
            assert answer["reason"] not in {"internal", "disk_error"}, answer
            self.answers[str(answer["verdict"])] += 1
            if seq > self._seq:
                return False
        return True


async def run(fuzzers: list[Fuzzer], count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for fuzzer in fuzzers:
            group.create_task(fuzzer.run(count // len(fuzzers)))


def pss(site: Site) -> int:
    return int(site.web.memory_full_info().pss)


async def test_ten_thousand_damaged_frames_are_answered_and_do_no_harm(site: Site, corpus: list[bytes]) -> None:
    posts = site.posts(*(f"Fuzzed {number}" for number in range(POSTS)))
    fuzzers = [Fuzzer(site, post, corpus, SEED + number) for number, post in enumerate(posts)]
    pids = site.web.pid, [worker.pid for worker in site.product.processes("analysis")]
    await run(fuzzers, WARM)
    warm = pss(site)
    await run(fuzzers, MESSAGES - WARM)
    growth = pss(site) - warm

    assert sum(fuzzer.sent for fuzzer in fuzzers) == MESSAGES
    kinds = sum((fuzzer.answers for fuzzer in fuzzers), Counter())
    assert kinds["invalid"] > MESSAGES / 4, kinds
    assert MESSAGES - kinds["invalid"] > MESSAGES / 20, kinds  # Enough of it came through to the gate.
    assert growth < MOST_GROWTH, f"{growth / 1e6:.1f} MB more after {MESSAGES - WARM:,} messages"
    assert (site.web.pid, [worker.pid for worker in site.product.processes("analysis")]) == pids
    assert "Traceback" not in site.product.output
    for fuzzer in fuzzers:
        await check_counted(site, fuzzer)
        async with site.capture(fuzzer.post) as line:
            assert (await line.ask(frame(1, picture())))["verdict"] in VERDICTS - {"invalid"}


async def check_counted(site: Site, fuzzer: Fuzzer) -> None:
    """All of it is in the log, in one column each."""
    expected = {verdict: fuzzer.answers[verdict] for verdict in VERDICTS}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        coverage = site.coverage(fuzzer.post)
        if {verdict: coverage[verdict] for verdict in VERDICTS} == expected and not coverage["waiting"]:
            break
        assert time.monotonic() < deadline, f"{coverage} is not {expected}"
        await asyncio.sleep(0.2)
    assert coverage["received"] == fuzzer.sent
    assert coverage["admitted"] == coverage["analysed"] + coverage["failed"]
