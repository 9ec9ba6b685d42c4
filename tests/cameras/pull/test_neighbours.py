"""One bad camera among three: it says what is wrong, is back soon, and touches no neighbour."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
import trustme
from pytest_django import Settings

from cameras import images
from tests.cameras.pull import streams
from tests.cameras.pull.ingesting import FPS, PICTURES, Pulled, wanted
from tests.cameras.pull.server import Camera, Connection, camera

pytestmark = pytest.mark.alone

BACK_S = 15.0  # From the end of a fault to the first picture.
WATCHED_S = 4.0
STALLED = 4  # Pictures that a machine which runs other tests as well may swallow.


def silent(it: Connection) -> None:
    it.be_silent()


def half(it: Connection) -> None:
    it.stream()
    it.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[1][:1_000])
    it.be_silent()


def wrong_boundary(it: Connection) -> None:
    it.stream("announced")
    while not it.stopping.wait(0.05):
        it.send(b"--another\r\nContent-Type: text/plain\r\n\r\n" + b"nothing" * 3_000)


def flood(it: Connection) -> None:
    it.stream()
    part = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[0] + b"\r\n"
    data = part * (100_000 // len(part))
    began_at, sent = time.monotonic(), 0
    while not it.stopping.is_set():
        it.send(data)
        sent += len(data)
        it.stopping.wait(max(0.0, sent / 12_500_000 - (time.monotonic() - began_at)))


FAULTS: dict[str, tuple[Callable[[Connection], object], str]] = {
    "silent": (silent, "silent"),
    "half a picture": (half, "silent"),
    "wrong boundary": (wrong_boundary, "wrong_boundary"),
    "404": (lambda it: it.answer("404 Not Found"), "not_found"),
    "401": (lambda it: it.answer("401 Unauthorized"), "unauthorized"),
    "redirects": (lambda it: it.answer("302 Found", Location="/again"), "redirect_loop"),
    "to itself": (lambda it: it.answer("302 Found", Location="http://[::1]/"), "address_not_allowed"),
    "flood": (flood, ""),
}


@asynccontextmanager
async def neighbours(pulled: Pulled, bad: str) -> AsyncIterator[None]:
    """Camera 1 reads the bad address; 2 and 3 keep their rate, without a gap, while the body runs."""
    with ExitStack() as stack:
        good = [stack.enter_context(camera(lambda it: it.play(PICTURES))) for _each in range(2)]
        cameras = [
            wanted(number, address) for number, address in enumerate([bad, *(server.url() for server in good)], 1)
        ]
        await pulled.follow(*cameras)
        await pulled.until(lambda: len(pulled.of(2)) > 3 and len(pulled.of(3)) > 3)
        began_at = time.time()
        yield
        await asyncio.sleep(max(0.0, began_at + WATCHED_S - time.time()))  # Long enough for a rate.
        ended_at = time.time()
        for number in (2, 3):
            times = [began_at, *(frame.received_at for frame in pulled.of(number, began_at)), ended_at]
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert max(gaps) < 1.0, f"camera {number}"
            assert len(times) - 2 >= 0.95 * FPS * (ended_at - began_at) - STALLED, f"camera {number}"


def hang_up(bad: Camera) -> None:
    for raw in list(bad.open):
        with suppress(OSError):  # TLS has taken it over.
            raw.shutdown(2)


async def back(pulled: Pulled) -> None:
    """The fault is over."""
    over_at = time.monotonic()
    await pulled.until_pictures(1)
    assert time.monotonic() - over_at < BACK_S
    assert pulled.standing(1).state == "pictures"


@pytest.mark.parametrize("name", FAULTS)
async def test_a_bad_camera_says_what_is_wrong_is_back_soon_and_touches_no_neighbour(pulled: Pulled, name: str) -> None:
    handler, code = FAULTS[name]
    with camera(lambda it: it.play(PICTURES)) as bad:
        async with neighbours(pulled, bad.url()):
            await pulled.until_pictures(1)
            bad.handler = handler  # type: ignore[assignment]
            hang_up(bad)
            if code:
                await pulled.until_fault(1, code)
            else:
                await asyncio.sleep(2)
            bad.handler = lambda it: it.play(PICTURES)
            await back(pulled)


async def test_a_server_that_is_killed_and_comes_back(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as bad:
        async with neighbours(pulled, bad.url()):
            await pulled.until_pictures(1)
            bad.close()
            await pulled.until_fault(1, "refused")
            with camera(lambda it: it.play(PICTURES), port=bad.port):
                await pulled.until_pictures(1)


async def test_a_name_that_is_known_no_more(pulled: Pulled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The readers ask a resolver of this test's own, which knows the name while there is a file of that name."""
    known = tmp_path / "gate.test"
    (tmp_path / "sitecustomize.py").write_text(RESOLVER.format(known=str(known)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    known.touch()
    with camera(lambda it: it.play(PICTURES)) as bad:
        async with neighbours(pulled, bad.url().replace("127.0.0.1", known.name)):
            await pulled.until_pictures(1)
            known.unlink()
            hang_up(bad)
            await pulled.until_fault(1, "dns")
            known.touch()
            await back(pulled)


RESOLVER = """
import pathlib, socket
ask = socket.getaddrinfo

def answer(host, *arguments, **more):
    if host == "gate.test":
        if not pathlib.Path({known!r}).exists():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = "127.0.0.1"
    return ask(host, *arguments, **more)

socket.getaddrinfo = answer
"""


async def test_a_certificate_that_nobody_vouches_for(
    pulled: Pulled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, another = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with camera(lambda it: it.play(PICTURES), tls=certified(ours)) as bad:
        async with neighbours(pulled, bad.url()):
            await pulled.until_pictures(1)
            bad.tls = certified(another)
            hang_up(bad)
            await pulled.until_fault(1, "certificate")
            bad.tls = certified(ours)
            await back(pulled)


def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_another_size_in_the_middle_and_another_codec_after(pulled: Pulled, tmp_path: Path) -> None:
    small = streams.encode(tmp_path / "small.ts", *streams.pattern(), seconds=3, group=25)
    large = streams.encode(tmp_path / "large.ts", *streams.pattern("640x480"), seconds=30, group=25, from_s=3)
    changing = tmp_path / "changing.ts"
    changing.write_bytes(small.read_bytes() + large.read_bytes())
    h265 = streams.encode(tmp_path / "h265.mp4", *streams.pattern(fps=10), seconds=30, codec="h265", group=10)
    with streams.serving(streams.launch(changing)) as bad:
        async with neighbours(pulled, bad.url()):
            await pulled.until(lambda: {(320, 240), (640, 480)} <= sizes(pulled))
            bad.kill()
            await pulled.until_fault(1, "refused")
            bad.start(streams.launch(h265, "h265"))
            await back(pulled)


def sizes(pulled: Pulled) -> set[tuple[int, int]]:
    return {images.size_of(frame.jpeg) for frame in pulled.of(1)}


async def test_times_that_jump_back(pulled: Pulled, settings: Settings, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path
    once = streams.encode(tmp_path / "once.ts", *streams.pattern(), seconds=3, group=25)
    (tmp_path / "again.ts").write_bytes(once.read_bytes() * 3)
    async with neighbours(pulled, "file:again.ts"):
        await pulled.until(lambda: len(pulled.of(1)) >= 5 * FPS)
    times = [frame.captured_at for frame in pulled.of(1)]
    assert times == sorted(times)
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.0
