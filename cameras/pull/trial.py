"""Tries a source once: its first picture, or what exactly is wrong. By the very reader that ingest would use."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace

from cameras.pull import process, wire
from cameras.pull.feed import Wanted
from cameras.pull.process import Crashed, Stuck
from cameras.pull.source import Settings
from cameras.pull.wire import Kind, State

LONGEST_S = 15.0
SILENT_S = 8.0
AT_ONCE = 3  # In this process: each is a process of its own, and somebody's thread that waits.

_places = threading.BoundedSemaphore(AT_ONCE)


class Busy(Exception):
    """As many sources as may be are being tried already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`jpeg` is None where there was no picture; then `code` is one of cameras/pull/problems."""

    jpeg: bytes | None
    code: str = ""
    detail: str = ""


def first_picture(wanted: Wanted, *, timeout_s: float = LONGEST_S) -> Outcome:
    """Blocks, for so long at the most. Raises Busy."""
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        settings = replace(wanted.for_reader(), silent_s=min(SILENT_S, timeout_s))
        return asyncio.run(_first_picture(settings, timeout_s))
    finally:
        _places.release()


async def _first_picture(settings: Settings, timeout_s: float) -> Outcome:
    told = State("connecting")
    try:
        async with asyncio.timeout(timeout_s), process.started(settings) as reader:
            while True:
                message = await reader.next(timeout_s)
                if message.kind in (Kind.FRAME, Kind.MADE):
                    return Outcome(message.body, told.code, told.detail)
                if message.kind is Kind.STATE:
                    told = wire.unpack_state(message.body)
                    if told.state in ("failed", "ended"):
                        return Outcome(None, told.code, told.detail)
    except (TimeoutError, Stuck):
        return Outcome(None, "silent" if told.state == "connected" else "timeout")
    except (Crashed, wire.Broken) as error:
        return Outcome(None, "crashed", str(error))
