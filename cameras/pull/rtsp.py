"""Sources over RTSP: H.264 and H.265, and what else FFmpeg decodes, over TCP. Pure.

FFmpeg connects to our forwarder only, which holds the connection to the checked address; where the server sends us on
to another one, that is checked and connected to in turn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urldefrag

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.pull import rtsp_connection
from cameras.pull.decode import Decoding
from cameras.pull.forwarder import Forwarder
from cameras.pull.source import Connected, Control, Fault, Item, Settings

MOST_REDIRECTIONS = 5
FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (av.HTTPUnauthorizedError, "unauthorized"),
    (av.HTTPForbiddenError, "unauthorized"),
    (av.HTTPNotFoundError, "not_found"),
    (av.HTTPClientError, "http_error"),
    (av.HTTPServerError, "http_error"),
    (av.ExitError, "silent"),
    (TimeoutError, "silent"),
    (av.DecoderNotFoundError, "unsupported"),
    (av.ProtocolNotFoundError, "unsupported"),
    (av.PatchWelcomeError, "unsupported"),
    (av.InvalidDataError, "unsupported"),
)


def read(settings: Settings, control: Control) -> Iterator[Item]:
    av.logging.set_level(None)  # FFmpeg's own words may hold the address, password included.
    with _reached(settings) as (container, forwarder):
        stream = _stream(container, settings)
        yield Connected(_words_for(stream))
        try:
            yield from _packets(container, stream, settings, control)
        except Fault as fault:
            raise forwarder.fault or fault from None
        raise forwarder.fault or Fault("ended")


@contextmanager
def _reached(settings: Settings) -> Iterator[tuple[InputContainer, Forwarder]]:
    """What plays, of the server that we are sent on to in the end. Raises Fault."""
    url = urldefrag(settings.source)[0]
    seen: set[str] = set()
    while url not in seen and len(seen) <= MOST_REDIRECTIONS:
        seen.add(url)
        with Forwarder(rtsp_connection.connected(url, settings), url, settings) as forwarder:
            try:
                container = _open(forwarder, settings)
            except Fault:
                if forwarder.location is None:
                    raise
            else:
                with closing(container):
                    yield container, forwarder
                return
        url = rtsp_connection.redirected(url, forwarder.location)
    raise Fault("redirect_loop")


def _open(forwarder: Forwarder, settings: Settings) -> InputContainer:
    options = {
        "rtsp_transport": "tcp",
        "protocol_whitelist": "tcp",
        "user_agent": forwarder.agent,
        "allowed_media_types": "video",
        "timeout": str(round(settings.silent_s * 1e6)),
        # The description says all there is to know: nothing need be decoded before the first picture is wanted.
        "probesize": "32",
        "analyzeduration": "0",
    }
    began_at = time.monotonic()
    try:
        container: InputContainer = av.open(
            forwarder.url, "r", "rtsp", options=options, timeout=(settings.connect_s, settings.silent_s)
        )
        return container
    except (av.FFmpegError, OSError) as error:
        if forwarder.fault:
            raise forwarder.fault from None
        if time.monotonic() - began_at > settings.connect_s - 0.2:  # FFmpeg says anything then.
            raise Fault("silent", "no answer") from None
        raise _fault(error) from None


def _fault(error: BaseException) -> Fault:
    """Never with FFmpeg's text, in which the address stands."""
    code = next((code for kind, code in FAULTS if isinstance(error, kind)), "ended")
    return Fault(code, type(error).__name__ if code in ("http_error", "unsupported", "ended") else "")


def _stream(container: InputContainer, settings: Settings) -> VideoStream:
    if not container.streams.video:
        raise Fault("unsupported", "no video")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None or context.width * context.height > settings.max_pixels:
        raise Fault("unsupported", f"{context.width}×{context.height}" if context else "codec")
    return stream


def _words_for(stream: VideoStream) -> str:
    context = stream.codec_context
    name = {"h264": "H.264", "hevc": "H.265"}.get(context.name, context.name)
    return f"{name} {context.width}×{context.height}" if context.width else name


def _packets(container: InputContainer, stream: VideoStream, settings: Settings, control: Control) -> Iterator[Item]:
    decoding = Decoding(stream, settings, control)
    try:
        for packet in container.demux(stream):
            yield from decoding.feed(packet, time.time())
            if control.stopping.is_set():
                return
            if time.monotonic() - decoding.pictured_at > settings.silent_s:
                raise Fault(
                    "not_a_picture" if decoding.packets else "silent", f"no picture for {settings.silent_s:g} s"
                )
    except (av.FFmpegError, OSError) as error:
        yield from decoding.flush()
        fault = _fault(error)
        raise Fault("ended") if fault.code == "unsupported" else fault from None
    yield from decoding.flush()
