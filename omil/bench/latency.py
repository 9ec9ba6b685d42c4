"""How long after a frame is sent a dashboard has its boxes: one camera, five frames a second, the whole product."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from typing import Any

from omil.bench import clips
from omil.bench.client import CameraSocket, Viewer
from omil.bench.clips import Shot
from omil.bench.figures import median, percentile
from omil.bench.side import BenchError, Side
from omil.bench.workplace import Workplace

FPS = 5.0
FRAMES = 60  # Of a round.
WARM_UP = 20
ANSWER_S = 3.0
LEAST_ANSWERED = 0.9


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    shots = clips.there_and_back(clips.long_stay())
    with Workplace() as place:
        pictures = clips.store(place.folder / "stay", shots)
        inference = place.side("inference", pictures)
        inference.about  # noqa: B018 (it warms up before the product starts)
        place.start_product()
        made = place.side("clerk").run(cameras=1)
        taken = asyncio.run(_play(place.port, made, shots, inference, rounds, say))
        return figures(taken)


async def _play(
    port: int, made: dict[str, Any], shots: list[Shot], inference: Side, rounds: int, say: Callable[[str], None]
) -> list[dict[str, list[float]]]:
    slug, cookie = made["cameras"][0]["slug"], made["cameras"][0]["cookie"]
    camera = await CameraSocket.open(port, slug, cookie)
    viewer = await Viewer.open(port, slug, made["viewer"])
    listening = [asyncio.create_task(_for_ever(each.receive)) for each in (camera, viewer)]
    post = Post(camera, viewer, inference, cycle(shot.jpeg for shot in shots))
    taken = []
    try:
        await post.round(WARM_UP)
        for number in range(1, rounds + 1):
            taken.append(await post.round(FRAMES))
            say(f"latency, round {number}: {said(taken[-1])}")
    finally:
        for task in listening:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await camera.socket.close()
        await viewer.socket.close()
    return taken


async def _for_ever(receive: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        await receive()


class Post:
    """A guard post with a person before it, and between two of its frames one bare inference."""

    def __init__(self, camera: CameraSocket, viewer: Viewer, inference: Side, jpegs: Iterator[bytes]) -> None:
        self.camera, self.viewer, self.inference, self.jpegs = camera, viewer, inference, jpegs

    async def round(self, frames: int) -> dict[str, list[float]]:
        """Seconds from sending to boxes, of those that got any, and of bare inferences and acknowledgements."""
        loop = asyncio.get_running_loop()
        self.camera.forget()
        latency_s: list[float] = []
        bare_s: list[float] = []
        due = time.perf_counter()
        for number in range(frames):
            await asyncio.sleep(due - time.perf_counter())
            due = max(due, time.perf_counter() - 1 / FPS) + 1 / FPS
            began = time.perf_counter()
            seq = await self.camera.send(next(self.jpegs))
            if (boxes_at := await self._boxes(seq)) is not None:
                latency_s.append(boxes_at - began)
            report = await loop.run_in_executor(None, partial(self.inference.run, number=number))
            bare_s.append(report["seconds"])
        return {"latency": latency_s, "bare": bare_s, "ack": self.camera.ack_s, "sent": [float(frames)]}

    async def _boxes(self, seq: int) -> float | None:
        deadline = time.perf_counter() + ANSWER_S
        while seq not in self.viewer.boxes_at:
            if time.perf_counter() > deadline:
                return None
            await asyncio.sleep(0.001)
        return self.viewer.boxes_at[seq]


def figures(taken: list[dict[str, list[float]]]) -> dict[str, float]:
    sent, answered = sum(each["sent"][0] for each in taken), sum(len(each["latency"]) for each in taken)
    if answered < LEAST_ANSWERED * sent:
        raise BenchError(f"Only {answered} of {sent:.0f} frames were analysed; is the machine too busy for 5 a second?")

    def at(name: str, percent: float) -> list[float]:
        return [1_000 * percentile(each[name], percent) for each in taken]

    p50, p95, bare = at("latency", 50), at("latency", 95), at("bare", 50)
    return {
        "p50_ms": median(p50, 1),
        "p95_ms": median(p95, 1),
        "p50_ratio": median([one / other for one, other in zip(p50, bare, strict=True)]),
        "p95_ratio": median([one / other for one, other in zip(p95, bare, strict=True)]),
        "bare_inference_ms": median(bare, 1),
        "ack_p50_ms": median(at("ack", 50), 1),
        "ack_p95_ms": median(at("ack", 95), 1),
        "analysed_share": round(answered / sent, 3),
    }


def said(reports: dict[str, list[float]]) -> str:
    if not reports["latency"]:
        return "no frame was analysed"
    p50, p95, bare, ack = (
        1_000 * percentile(reports[name], percent)
        for name, percent in (("latency", 50), ("latency", 95), ("bare", 50), ("ack", 50))
    )
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, bare inference {bare:.0f} ms, acknowledged after {ack:.0f} ms"
