"""A WebSocket spoken in raw ASGI, shared by the capture and the live socket.

Channels' own consumers await the shared database thread before every message (a slow query in any of them delays the
others), so the two hot sockets do without them and look at the database only when they open and re-check.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from channels.layers import get_channel_layer
from django.conf import settings
from django.http.request import validate_host

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

RECONNECT_S = 1.0


def is_origin_allowed(scope: Scope) -> bool:
    """Whether a browser page of this very site opens the socket. A client without an origin is no browser."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin.decode("latin-1"))
        host, netloc = parts.hostname or "", parts.netloc
    except ValueError:
        return False
    is_same = netloc.lower() == headers.get(b"host", b"").decode("latin-1").lower()
    return is_same and validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS)


class Refused(Exception):
    """The client may not go on; it is told why, and the socket is closed with this code."""

    def __init__(self, close: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.close = close
        self.code = code
        self.detail = detail


class Socket:
    """An accepted WebSocket: JSON and bytes out, messages of channel groups in."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.is_closed = False

    async def accept(self) -> None:
        await self._send({"type": "websocket.accept"})

    async def send_json(self, message: Any) -> None:
        await self._send_one({"type": "websocket.send", "text": json.dumps(message, ensure_ascii=False)})

    async def send_bytes(self, data: bytes) -> None:
        await self._send_one({"type": "websocket.send", "bytes": data})

    async def _send_one(self, event: dict[str, Any]) -> None:
        if not self.is_closed:
            await self._send(event)

    async def error(self, code: str, detail: str) -> None:
        await self.send_json({"type": "error", "code": code, "detail": detail})

    async def close(self, code: int = 1000) -> None:
        if not self.is_closed:
            self.is_closed = True
            try:
                await self._send({"type": "websocket.close", "code": code})
            except Exception:  # The client may be gone already; a socket that stays open must not go unnoticed.
                logger.exception("a socket could not be closed with %d", code)

    async def refuse(self, refused: Refused) -> None:
        await self.error(refused.code, refused.detail)
        await self.close(refused.close)


class Groups:
    """Membership of one socket in channel groups, kept through a Valkey that goes away and comes back."""

    def __init__(self, handle: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._handle = handle
        self._wanted: set[str] = set()
        self._joined: set[str] = set()
        self._changed = asyncio.Event()

    def set(self, groups: set[str]) -> None:
        """Listens to exactly these groups from now on."""
        self._wanted = set(groups)
        self._changed.set()

    async def listen(self) -> None:
        """Runs until cancelled."""
        layer = get_channel_layer()
        name = await layer.new_channel()
        joining = asyncio.create_task(self._join(layer, name))
        try:
            while True:
                try:
                    message = await layer.receive(name)
                except Exception as error:  # Whatever the layer's client raises when Valkey goes away.
                    logger.debug("the channel layer is out of reach: %s", error)
                    self._joined.clear()
                    self._changed.set()
                    await asyncio.sleep(RECONNECT_S)
                else:
                    await self._handle(message)
        finally:
            joining.cancel()
            with suppress(Exception):
                for group in self._joined:
                    await layer.group_discard(group, name)

    async def _join(self, layer: Any, name: str) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                for group in self._wanted - self._joined:
                    await layer.group_add(group, name)
                    self._joined.add(group)
                for group in self._joined - self._wanted:
                    await layer.group_discard(group, name)
                    self._joined.discard(group)
            except Exception as error:
                logger.debug("the channel layer is out of reach: %s", error)
                await asyncio.sleep(RECONNECT_S)
                self._changed.set()


async def until_first_ends(*jobs: Awaitable[None]) -> None:
    """Runs these side by side until one returns or raises; the others are cancelled. Raises what it raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
