"""A scripted source: sends given pictures with fixed sequence numbers and capture times, as the capture page would."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from cameras.frames import header
from tests.build import STREAM

RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to send: `due_s` after the start, captured at this Unix time."""

    seq: int
    due_s: float
    captured_at: float
    jpeg: bytes


def read_clip(path: Path, frames: Iterable[int], *, width: int = 640, quality: int = 80) -> list[bytes]:
    """These frames of a clip as JPEGs, in order."""
    wanted = sorted(frames)
    clip = cv2.VideoCapture(str(path))
    found, at = [], -1
    for number in wanted:
        while at < number:
            at += 1
            ok, frame = clip.read()
            assert ok, f"{path} has no frame {number}"
        height = round(frame.shape[0] * width / frame.shape[1])
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        found.append(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
    clip.release()
    return found


@dataclass
class Source:
    """Sends its shots oldest first within its credit, connects again when cut off, and notes every answer.

    What is refused as busy is sent again unless a later picture was taken meanwhile; "busy" is then its verdict.
    """

    url: str
    cookies: dict[str, str]
    shots: list[Shot]
    stream: str = STREAM
    most_under_way: int = 8  # With one alone nothing overtakes a busy picture, so that each is taken in the end.
    verdicts: dict[int, str] = field(default_factory=dict)
    acks: list[dict[str, Any]] = field(default_factory=list)
    acked_at: list[float] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    credit: int = 1

    async def run(self, timeout_s: float) -> None:
        """Until every shot has its verdict."""
        self._started = time.monotonic()
        async with asyncio.timeout(timeout_s):
            while len(self.verdicts) < len(self.shots):
                try:
                    await self._connect()
                except (OSError, ConnectionClosed, InvalidHandshake):
                    await asyncio.sleep(RETRY_S)

    @property
    def _room(self) -> int:
        return min(self.credit, self.most_under_way)

    async def _connect(self) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with connect(self.url, additional_headers={"Cookie": cookie}, max_size=None, open_timeout=5) as socket:
            self.connections += 1
            await socket.send(json.dumps({"type": "hello", "protocol": 1, "stream": self.stream}))
            welcome = json.loads(await socket.recv())
            assert welcome["type"] == "welcome", welcome
            self.credit = welcome["credit"]
            # What is in the log already has its verdict there; it is asked for again, as the first answer was lost.
            waiting = [shot for shot in self.shots if shot.seq not in self.verdicts]
            await self._send_all(socket, waiting)

    async def _send_all(self, socket: ClientConnection, waiting: list[Shot]) -> None:
        under_way: dict[int, Shot] = {}
        while waiting or under_way:
            now = time.monotonic() - self._started
            while waiting and len(under_way) < self._room and waiting[0].due_s <= now:
                shot = waiting.pop(0)
                under_way[shot.seq] = shot
                await socket.send(header(shot.seq, shot.captured_at) + shot.jpeg)
            pause = max(0.001, waiting[0].due_s - now) if waiting and len(under_way) < self._room else 5.0
            try:
                message = json.loads(await asyncio.wait_for(socket.recv(), pause))
            except TimeoutError:
                continue
            if message["type"] == "ack":
                self.acks.append(message)
                self.acked_at.append(time.monotonic())
                self.credit = message["credit"]
                shot = under_way.pop(message["seq"])
                if message["verdict"] == "busy" and shot.seq > max(self.verdicts, default=0):
                    waiting.insert(0, shot)
                    await asyncio.sleep(0.05)
                else:
                    self.verdicts[message["seq"]] = message["verdict"]
            elif message["type"] == "result":
                self.results.append(message)
            elif message["type"] == "error":
                self.errors.append(message)


def shots(jpegs: list[bytes], *, fps: float, starts_at: float, speed: float = 1.0, first_seq: int = 1) -> list[Shot]:
    """The pictures `1 / fps` apart in capture time, due `speed` times as fast."""
    return [
        Shot(first_seq + index, index / fps / speed, starts_at + index / fps, jpeg) for index, jpeg in enumerate(jpegs)
    ]
