"""A WebSocket spoken with the ASGI application itself, without a server between."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from cameras.node import Receiver
from omil.asgi import application

PATIENCE_S = 10.0


class Closed(Exception):
    """The application has closed the socket with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Wire:
    """One open socket; `hear` gives JSON messages as objects and pictures as bytes."""

    def __init__(self, path: str, cookies: dict[str, str] | None = None) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        headers = [(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"cookie", cookie.encode())]
        self.scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []}
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(application(self.scope, self._in.get, self._out.put))
        self._in.put_nowait({"type": "websocket.connect"})
        accepted = await self._event(PATIENCE_S)
        assert accepted["type"] == "websocket.accept", accepted
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, PATIENCE_S)

    async def _event(self, timeout_s: float) -> dict[str, Any]:
        """What the application sends next; what it raises is raised here."""
        getting = asyncio.ensure_future(self._out.get())
        await asyncio.wait({getting, self._task}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
        getting.cancel()
        if self._task.done():
            self._task.result()
        raise TimeoutError

    def send(self, message: dict[str, Any] | str | bytes) -> None:
        text = json.dumps(message) if isinstance(message, dict) else message
        key = "bytes" if isinstance(text, bytes) else "text"
        self._in.put_nowait({"type": "websocket.receive", key: text})

    async def hear(self, timeout_s: float = PATIENCE_S) -> Any:
        """Raises Closed, and TimeoutError where nothing comes."""
        event = await self._event(timeout_s)
        if event["type"] == "websocket.close":
            raise Closed(event.get("code", 1000))
        text = event.get("text")
        return event["bytes"] if text is None else json.loads(text)

    async def ask(self, message: dict[str, Any] | str | bytes) -> Any:
        self.send(message)
        return await self.hear()

    async def rest(self, timeout_s: float) -> list[Any]:
        """Everything that comes within this time of the last; ends with Closed(code) where the socket was closed."""
        heard: list[Any] = []
        while True:
            try:
                heard.append(await self.hear(timeout_s))
            except TimeoutError:
                return heard
            except Closed as closed:
                return [*heard, closed.code]


class QuietReceiver(Receiver):
    """Judges frames by motion alone; asks no Valkey and loads no model."""

    def __init__(self) -> None:
        super().__init__()
        self.node.find_person = lambda: None
        self.node.ring_bell = lambda camera_id, *, catching_up: None

    def start(self) -> None:
        """Starts no thread that would outlive a test."""
