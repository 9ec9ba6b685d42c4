"""Half of the ingest benchmark's cameras: each sends quiet pictures as fast as its credit allows."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from itertools import cycle
from typing import Any

from omil.bench import clips
from omil.bench.client import CameraSocket

ANSWER_S = 10.0
INTRODUCTION_S = 3.0  # Of one camera at most.
QUIET_IN_A_ROW = 10


class Measured:
    """`cameras` is the clerk's list as JSON. The sockets stay open between rounds."""

    def __init__(self, port: str, cameras: str, pictures: str) -> None:
        self.jpegs = [shot.jpeg for shot in clips.there_and_back(clips.load(pictures))]
        self.loop = asyncio.new_event_loop()
        self.sockets = self.loop.run_until_complete(self._open(int(port), json.loads(cameras)))
        self.about = {"sockets": len(self.sockets)}

    @staticmethod
    async def _open(port: int, cameras: list[dict[str, str]]) -> list[CameraSocket]:
        return [await CameraSocket.open(port, camera["slug"], camera["cookie"]) for camera in cameras]

    def run(self, *, seconds: float, introduce: bool = False) -> dict[str, Any]:
        """With `introduce` one camera after the other first, until its gate knows the empty room."""
        if introduce:
            self.loop.run_until_complete(self._introduce())
        cpu_began = time.process_time()
        began = time.perf_counter()
        self.loop.run_until_complete(self._send(began + seconds))
        took = time.perf_counter() - began
        verdicts: Counter[str] = Counter()
        for socket in self.sockets:
            verdicts.update(socket.verdicts)
        ack_s = [round(value, 5) for socket in self.sockets for value in socket.ack_s]
        return {"seconds": took, "cpu_s": time.process_time() - cpu_began, "verdicts": verdicts, "ack_s": ack_s}

    async def _introduce(self) -> None:
        for socket in self.sockets:
            deadline, quiet = time.perf_counter() + INTRODUCTION_S, 0
            jpegs = cycle(self.jpegs)
            while quiet < QUIET_IN_A_ROW and time.perf_counter() < deadline:
                socket.forget()
                await socket.send(next(jpegs))
                while socket.sent_at:
                    await asyncio.wait_for(socket.receive(), ANSWER_S)
                quiet = quiet + 1 if "no_motion" in socket.verdicts else 0

    async def _send(self, until: float) -> None:
        async with asyncio.TaskGroup() as group:
            for socket in self.sockets:
                socket.forget()
                group.create_task(self._serve(socket, until))

    async def _serve(self, socket: CameraSocket, until: float) -> None:
        """Never more under way than the credit; ends when everything is answered."""
        start = random.randrange(len(self.jpegs))  # noqa: S311 (the cameras are not to be in step)
        jpegs = cycle(self.jpegs[start:] + self.jpegs[:start])
        while True:
            while len(socket.sent_at) < socket.credit and time.perf_counter() < until:
                await socket.send(next(jpegs))
            if not socket.sent_at:
                return
            await asyncio.wait_for(socket.receive(), ANSWER_S)
