"""A mask drawn on a running camera holds within five seconds, on the same connection, in all that shows the camera."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from pathlib import Path

import numpy as np

from cameras import images
from tests.flow.post import Line, Post, Site, frame

REGION = [[0.5, 0.25], [1.0, 0.25], [1.0, 1.0], [0.5, 1.0]]
HOLDS_S = 5.0
DARK = 60


def pattern(number: int) -> bytes:
    """Bright everywhere, and each time another."""
    noise = np.random.default_rng(number).integers(190, 255, (60, 80, 3), np.uint8)
    return images.encode_jpeg(np.repeat(np.repeat(noise, 8, 0), 8, 1), 90)


def is_masked(jpeg: bytes) -> bool:
    """Under the mask black; elsewhere as it was, but for what is drawn there."""
    picture = images.decode_bgr(jpeg)
    assert picture.shape == (480, 640, 3)
    assert np.median(picture[20:100]) > 180
    return bool(np.percentile(picture[140:, 340:], 99) < DARK)


class Source:
    """Sends a picture five times a second, without masks whatever it is told, as an old page would."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.seq = 0
        self.masks: dict[str, object] | None = None

    async def run(self, until: float) -> None:
        while time.time() < until:
            self.seq += 1
            await self.line.send(frame(self.seq, pattern(self.seq)))
            while (answer := await self.line.hear())["type"] != "ack":
                assert answer["type"] == "masks"
                self.masks = answer
            assert answer["verdict"] != "invalid", answer
            await asyncio.sleep(0.2)


async def meanwhile(source: Source, look: Coroutine[None, None, list[bytes]]) -> list[bytes]:
    """What is seen while pictures come."""
    running = asyncio.create_task(source.run(time.time() + 3))
    seen = await look
    await running
    return seen


def ring_of(site: Site, post: Post) -> Path:
    return site.product.folder / "spool" / str(post.id) / "ring"


def shown(site: Site, post: Post) -> list[bytes]:
    """The picture for programs, and the first of the stream of them."""
    snapshot = site.admin.get(f"/cameras/{post.slug}/snapshot.jpg", params={"width": 640, "height": 480})
    assert snapshot.headers["Content-Type"] == "image/jpeg", snapshot.text
    with site.admin.stream("GET", f"/cameras/{post.slug}/stream.mjpg", params={"width": 640, "height": 480}) as stream:
        body = b""
        for chunk in stream.iter_raw():
            body += chunk
            start = body.find(b"\xff\xd8")
            end = body.find(b"\r\n--", start)
            if start >= 0 and end > start:
                return [snapshot.content, body[start:end]]
    raise AssertionError("the stream ended without a picture")


async def test_a_new_mask_holds_within_five_seconds_on_a_running_source(site: Site) -> None:
    (post,) = site.posts("Gate masked")
    zones = f"/admin/cameras/camera/{post.id}/zones/"
    row = {"id": "", "name": "Window", "kind": "mask", "loiter_s": "", "points": json.dumps(REGION)}
    form = {"zones-TOTAL_FORMS": "1", "zones-INITIAL_FORMS": "0"}
    form |= {f"zones-0-{name}": value for name, value in row.items()}
    async with site.capture(post) as line:
        assert (line.welcome["masks"], line.welcome["mask_version"]) == ([], 0)
        source = Source(line)
        await source.run(time.time() + 2)
        before = await meanwhile(source, asyncio.to_thread(shown, site, post))
        assert not any(is_masked(jpeg) for jpeg in before)

        drawn_at = time.time()
        await asyncio.to_thread(site.press, zones, **form)
        await source.run(drawn_at + HOLDS_S)
        assert source.masks == {"type": "masks", "masks": [REGION], "mask_version": 1}
        ring = sorted(ring_of(site, post).glob("*.jpg"))
        assert len(ring) > 20
        assert all(is_masked(path.read_bytes()) for path in ring), "a picture in the ring shows what is masked"
        after = await meanwhile(source, asyncio.to_thread(shown, site, post))
        assert all(is_masked(jpeg) for jpeg in after)
    async with site.capture(post) as line:
        assert (line.welcome["masks"], line.welcome["mask_version"]) == ([REGION], 1)
