"""A database that does not answer for two seconds delays no acknowledgement."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from cameras import consumers
from tests.flow.post import Post, Pulse, Site, frame, p95, picture
from tests.flow.roles import STREAM, World, make_world
from tests.flow.wire import QuietReceiver, Wire
from tests.product import Product

STALL_S, DELAY_S, CHANCES = 2.0, 0.1, 3
# What PostgreSQL, which locks no database whole, is to lock: everything that the requests below read or write.
TABLES = (
    "accounts_user",
    "axes_accessattempt",
    "axes_accessfailurelog",
    "cameras_camera",
    "cameras_coverageminute",
    "cameras_device",
    "detections_visit",
    "django_session",
)


def is_undisturbed(before: list[float], during: list[float]) -> bool:
    """Whether at most one in twenty acknowledgements took a tenth of a second longer than before."""
    assert len(during) >= 15, "the stall was over too soon"
    return p95(during) <= p95(before) + DELAY_S


# --- The real product ------------------------------------------------------------------------------------------------


@contextmanager
def written_by_another(product: Product) -> Iterator[None]:
    """A write transaction that somebody keeps open: whoever wants to write waits."""
    with product.database() as other:
        if product.env["DATABASE_URL"]:
            other.execute("BEGIN")
            other.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
        else:
            other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def out_of_reach(product: Product) -> Iterator[None]:
    """Whoever wants to read waits. On SQLite all locks of its write-ahead log (eight bytes of its index) are taken."""
    with product.database() as other:
        if product.env["DATABASE_URL"]:
            other.execute("BEGIN")
            other.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
            yield
            other.execute("ROLLBACK")
            return
        other.execute("SELECT count(*) FROM cameras_camera").fetchall()  # While it is open the index stays there.
        with (product.folder / "omil.sqlite3-shm").open("r+b") as index:
            fcntl.lockf(index, fcntl.LOCK_EX, 8, 120)
            yield
            fcntl.lockf(index, fcntl.LOCK_UN, 8, 120)


@pytest.fixture(scope="module")
def gates(site: Site) -> list[Post]:
    return site.posts("Steady gate", "Newcomer gate")


@pytest.mark.realtime
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stall", [written_by_another, out_of_reach])
async def test_a_database_that_is_locked_delays_no_acknowledgement(
    site: Site, gates: list[Post], stall: Callable[[Product], AbstractContextManager[None]]
) -> None:
    steady, newcomer = gates

    async def waits(ask: Callable[[], Any]) -> float:
        began = time.monotonic()
        await ask()
        return time.monotonic() - began

    async def log_in() -> None:
        async with httpx.AsyncClient(base_url=site.product.url, timeout=20) as browser:
            await browser.get("/login/")
            token = browser.cookies[f"omil_csrf_{site.product.port}"]
            form = {"username": "nobody", "password": "wrong", "csrfmiddlewaretoken": token}
            await browser.post("/login/", data=form)

    async def look() -> None:
        async with httpx.AsyncClient(base_url=site.product.url, timeout=20, cookies=site.admin.cookies) as browser:
            (await browser.get("/visits/")).raise_for_status()

    async def newcomer_says_hello() -> None:
        async with site.capture(newcomer):
            pass

    blocked = [log_in] if stall is written_by_another else [look, log_in, newcomer_says_hello]
    async with site.capture(steady) as line, Pulse(line) as pulse:
        for _chance in range(CHANCES):
            began = time.monotonic()
            await asyncio.sleep(3)
            with stall(site.product):
                stalled_at = time.monotonic()
                asked = asyncio.gather(*(waits(ask) for ask in blocked for _ in range(2)))
                await asyncio.sleep(STALL_S)
                ended_at = time.monotonic()
            assert min(await asked) > STALL_S * 0.75, "nothing waited for the database"
            await pulse.catch_up()
            before, during = pulse.latencies(began, stalled_at), pulse.latencies(stalled_at, ended_at)
            if is_undisturbed(before, during):
                break
        else:
            pytest.fail(f"the p95 went from {p95(before):.3f} to {p95(during):.3f} s")
    assert set(pulse.verdicts) <= {"admitted", "no_motion", "no_person", "busy"}


# --- The application itself ------------------------------------------------------------------------------------------


@pytest.fixture
async def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    receiver = QuietReceiver()
    monkeypatch.setattr(consumers, "receiver", lambda: receiver)
    yield await sync_to_async(make_world)()
    await sync_to_async(connections.close_all)()
    receiver.threads.shutdown()


async def test_a_query_that_is_slow_in_the_shared_thread_delays_no_acknowledgement(world: World) -> None:
    jpeg = picture(size_wh=(320, 240))

    async def beat(wire: Wire, seq: int) -> float:
        began = time.monotonic()
        answer = await wire.ask(frame(seq, jpeg))
        assert (answer["type"], answer["seq"]) == ("ack", seq)
        latency = time.monotonic() - began
        await asyncio.sleep(max(0.0, 0.1 - latency))
        return latency

    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire(f"/ws/capture/{world.camera.slug}/", world.cookies["device"]))
        hello = {"type": "hello", "protocol": 1, "stream": STREAM}
        assert (await wire.ask(hello))["type"] == "welcome"
        for chance in range(CHANCES):
            before = [await beat(wire, 100 * chance + seq) for seq in range(1, 21)]
            stall = asyncio.ensure_future(sync_to_async(time.sleep, thread_sensitive=True)(STALL_S))
            newcomer = asyncio.ensure_future(_open(stack, world))
            during = [await beat(wire, 100 * chance + seq) for seq in range(21, 39)]
            assert not stall.done()
            assert not newcomer.done(), "the shared thread was free"
            await newcomer
            if is_undisturbed(before, during):
                return
    pytest.fail(f"the p95 went from {p95(before):.3f} to {p95(during):.3f} s")


async def _open(stack: AsyncExitStack, world: World) -> None:
    """A viewer, whom the shared thread must let in."""
    wire = await stack.enter_async_context(Wire("/ws/live/", world.cookies["operator"]))
    assert (await wire.ask({"type": "watch", "cameras": ["nothing-there"]}))["code"] == "not_found"
