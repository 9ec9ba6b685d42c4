"""The two sockets as a program speaks them: a camera that sends pictures, and a viewer that watches one."""

from __future__ import annotations

import json
import secrets
import struct
import time
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect

from cameras.frames import header
from omil.bench.side import BenchError

OPEN_S = 20.0


async def open_socket(address: str, cookie: str) -> ClientConnection:
    return await connect(
        address,
        additional_headers={"Cookie": cookie},
        compression=None,
        max_size=None,
        open_timeout=OPEN_S,
        ping_interval=None,
    )


@dataclass(slots=True)
class CameraSocket:
    """One camera's connection; notes when each frame went and when and how it was answered."""

    socket: ClientConnection
    credit: int = 1
    seq: int = 0
    sent_at: dict[int, float] = field(default_factory=dict)
    ack_s: list[float] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def open(cls, port: int, slug: str, cookie: str) -> CameraSocket:
        socket = await open_socket(f"ws://localhost:{port}/ws/capture/{slug}/", cookie)
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "stream": secrets.token_hex(16)}))
        welcome = json.loads(await socket.recv())
        if welcome["type"] != "welcome":
            raise BenchError(f"The capture socket says {welcome}.")
        return cls(socket, credit=welcome["credit"])

    async def send(self, jpeg: bytes) -> int:
        self.seq += 1
        message = header(self.seq, time.time()) + jpeg
        self.sent_at[self.seq] = time.perf_counter()
        await self.socket.send(message)
        return self.seq

    async def receive(self) -> None:
        """One message; an acknowledgement is noted."""
        message = json.loads(await self.socket.recv())
        now = time.perf_counter()
        if message["type"] == "ack":
            self.credit = message["credit"]
            self.ack_s.append(now - self.sent_at.pop(message["seq"]))
            self.verdicts[message["verdict"]] = self.verdicts.get(message["verdict"], 0) + 1
        elif message["type"] == "error":
            raise BenchError(f"The capture socket says {message}.")

    def forget(self) -> None:
        """What was noted so far; frames under way stay known."""
        self.ack_s, self.verdicts = [], {}


@dataclass(slots=True)
class Viewer:
    """A dashboard that watches one camera with its pictures; notes when the boxes of each frame came."""

    socket: ClientConnection
    slug: str
    boxes_at: dict[int, float] = field(default_factory=dict)
    people: int = 0
    pictures: int = 0

    @classmethod
    async def open(cls, port: int, slug: str, cookie: str) -> Viewer:
        socket = await open_socket(f"ws://localhost:{port}/ws/live/", cookie)
        await socket.send(json.dumps({"type": "watch", "cameras": [slug], "pictures": True}))
        return cls(socket, slug)

    async def receive(self) -> None:
        """One message; a picture is acknowledged, so that the next one comes."""
        message = await self.socket.recv()
        now = time.perf_counter()
        if isinstance(message, bytes):
            self.pictures += 1
            (seq,) = struct.unpack_from("!I", message, 1 + message[0] + 4)
            await self.socket.send(json.dumps({"type": "ack", "camera": self.slug, "seq": seq}))
            return
        told = json.loads(message)
        if told["type"] == "tracks":
            self.boxes_at[told["seq"]] = now
            self.people = told["people"]
        elif told["type"] == "error":
            raise BenchError(f"The live socket says {told}.")
