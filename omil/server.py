"""Daphne as Omil runs it: which address, which certificate, which limits. Only the commands web and trust call it."""

from __future__ import annotations

import asyncio
import logging
import resource
import threading
from collections.abc import Callable
from typing import Any

# Daphne first: it installs the event loop that everything of Twisted then runs on.
from daphne import server as daphne_server  # isort: skip
from autobahn.exception import Disconnected
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet.endpoints import quoteStringArgument

from omil import authority

logger = logging.getLogger(__name__)

TOO_BIG = 1009
MAX_MESSAGE_BYTES = 1_048_576  # docs/DESIGN: up to here a bad frame is answered, beyond it the socket is closed.
MAX_BODY_BYTES = 32_000_000  # Twisted writes a body to disk before anyone has asked who sends it.
MOST_FILES = 65_536  # Open at once; the usual 1,024 are soon used up by cameras and viewers.
LOADED_S = 10.0  # By now what serves the pages and the gate's model have been loaded.
# Whoever takes nothing of a live stream for so long is hung up on: it would keep one of its camera's sizes for ever.
STALLED_S = 60
LIVE = (b"multipart/x-mixed-replace", b"text/event-stream")
RESPONSE_S = 60  # Until a response begins; a stream may then go on for ever.


class AnsweringProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Closes an oversized message with its code, where autobahn would drop the line, and tells the application."""

    failByDrop = False

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        is_too_big = self.wasMaxMessagePayloadSizeExceeded or self.wasMaxFramePayloadSizeExceeded
        super().onClose(wasClean, TOO_BIG if is_too_big else code, reason)

    def serverClose(self, code: int | None = None) -> None:
        """With any code: autobahn's own sendClose refuses to send 1008, a broken rule, and leaves the socket open."""
        self.sendCloseFrame(code=1000 if code is None else code)


class AnsweringFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = AnsweringProtocol


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """Hangs up on a body without end, lets the time limit hold only until the response has begun, and knows when what
    was written has not been taken yet (Twisted's push producer)."""

    body_bytes = 0
    is_producing = False
    is_live = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken = asyncio.Event()
        self.taken.set()

    def handle_reply(self, message: dict[str, Any]) -> None:
        for name, value in message.get("headers", ()):
            self.is_live |= name.lower() == b"content-type" and value.startswith(LIVE)
        if message.get("more_body") and not self.is_producing and self.channel is not None:
            self.is_producing = True
            self.registerProducer(self, True)
        super().handle_reply(message)

    def pauseProducing(self) -> None:
        self.taken.clear()

    def resumeProducing(self) -> None:
        self.taken.set()

    def stopProducing(self) -> None:
        self.taken.set()

    def hang_up(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()

    def finish(self) -> None:
        self._stop_waiting()
        super().finish()

    def connectionLost(self, reason: object) -> None:
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        self.taken.set()
        if self.is_producing and self.channel is not None:
            self.is_producing = False
            self.unregisterProducer()

    def handleContentChunk(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.body_bytes <= MAX_BODY_BYTES:
            super().handleContentChunk(data)
        else:
            self.channel.loseConnection()

    def check_timeouts(self) -> None:
        if not self._response_started:
            super().check_timeouts()


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: object) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol


class PatientServer(daphne_server.Server):  # type: ignore[misc]
    """Lets an application that streams wait until its reader has taken what was sent: Daphne itself would keep a whole
    film in memory for whoever reads it slowly."""

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        try:
            await super().handle_reply(protocol, message)
        except Disconnected:  # The client has just gone, as the application hears next.
            return
        if message.get("more_body") and isinstance(protocol, BoundedRequest):
            try:
                async with asyncio.timeout(STALLED_S if protocol.is_live else None):
                    await protocol.taken.wait()
            except TimeoutError:
                protocol.hang_up()


def serve_site() -> None:
    from cameras import heap
    from cameras.node import receiver
    from omil.asgi import application

    if settings.HTTPS:
        served = authority.current()
        authority.serving(served)
        endpoint = tls_endpoint(served, settings.PORT)
    else:
        endpoint = f"tcp:port={settings.PORT}:interface=127.0.0.1"
    logger.info("Serving %s", ", ".join(settings.SITE_URLS))
    receiver().finder.start()  # The gate's model loads beside the first pages, not before them.
    heap.keep_big_apart()
    loaded = threading.Timer(LOADED_S, heap.settle)
    loaded.daemon = True
    loaded.start()
    serve(application, endpoint)


def serve_trust_page() -> None:
    from omil.trust import TrustPage

    served = authority.current()
    if served.authority is None:
        logger.info("A certificate of your own is served: there is no authority to hand out.")
        return
    serve(TrustPage(served.root()), f"tcp:port={settings.TRUST_PORT}:interface={interface()}")


def interface() -> str:
    """Every interface; with IPv6 only where the site is reached by such an address, for not every machine has it."""
    return r"\:\:" if any(":" in host for host in settings.OMIL_HOSTS) else "0.0.0.0"  # noqa: S104


def tls_endpoint(served: authority.Served, port: int) -> str:
    """Twisted's description of the endpoint; it reads one certificate from certKey and wants the rest elsewhere."""
    parts = [f"ssl:port={port}", f"interface={interface()}"]
    parts += [f"privateKey={quoteStringArgument(str(served.key))}"]
    parts += [f"certKey={quoteStringArgument(str(served.certificate))}"]
    if len(chain := served.chain()) > 1:
        rest = settings.RUN_DIR / "chain.crt"
        rest.write_bytes(b"".join(link.public_bytes(authority.PEM) for link in chain[1:]))
        parts += [f"extraCertChain={quoteStringArgument(str(rest))}"]
    return ":".join(parts)


def serve(application: Callable[..., Any], endpoint: str) -> None:
    """Serves until a signal says stop; a port that is taken ends the process with an error."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MOST_FILES), hard))
    daphne_server.WebSocketFactory, daphne_server.HTTPFactory = AnsweringFactory, BoundedFactory
    daphne = PatientServer(
        application,
        endpoints=[endpoint],
        http_timeout=RESPONSE_S,
        websocket_timeout=-1,  # A camera's socket lives for months.
        websocket_connect_timeout=10,
        websocket_handshake_timeout=10,
        ping_interval=10,
        ping_timeout=20,
        websocket_max_message_size=MAX_MESSAGE_BYTES,
        websocket_max_frame_size=MAX_MESSAGE_BYTES,
        application_close_timeout=5,
        server_name="",
    )
    daphne.run()
    if daphne.abort_start or not daphne.listening_addresses:
        raise SystemExit(1)
