"""Sources over HTTP: MJPEG that is streamed, or single pictures that are asked for again and again. Pure.

Which of the two is said by the content type; where that says nothing, by the address: what ends in .jpg is one picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from cameras.pull import mjpeg
from cameras.pull.fetch import Client
from cameras.pull.picture import is_whole
from cameras.pull.source import Connected, Control, Fault, Item, Patience, Picture, Settings

PLAYLISTS = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl")
UNTOLD = ("", "application/octet-stream", "video/x-motion-jpeg", "video/x-mjpeg", "video/x-jpeg")
SUFFIXES = (".jpg", ".jpeg")


def read(settings: Settings, control: Control) -> Iterator[Item]:
    with Client(settings) as client:
        is_told = False
        while True:
            with client.get() as response:
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind.startswith("multipart/") or (kind in UNTOLD and not _is_picture(kind, settings.source)):
                    yield from _stream(response, settings, control)
                    raise Fault("ended")
                if not _is_picture(kind, settings.source):
                    raise Fault("unsupported", "HLS" if kind in PLAYLISTS else kind[:60] or "no content type")
                jpeg = _body(response, Patience(settings.silent_s))
            if not is_whole(jpeg):
                raise Fault("not_a_picture", "half a picture" if jpeg.startswith(mjpeg.SOI) else "no JPEG")
            now = time.monotonic()
            control.is_due(now)
            if not is_told:
                is_told = True
                yield Connected("single pictures")
            yield Picture(time.time(), jpeg)
            if not control.wait_until_due(now):
                return


def _is_picture(kind: str, source: str) -> bool:
    """By what the server calls it, or, where that says nothing, by its name."""
    if kind in ("image/jpeg", "image/jpg", "image/pjpeg"):
        return True
    return kind in UNTOLD and urlsplit(source).path.lower().endswith(SUFFIXES)


def _body(response: httpx.Response, patience: Patience) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        patience.check()
        if len(body) > mjpeg.MOST_BYTES:
            raise Fault("not_a_picture", f"more than {mjpeg.MOST_BYTES} bytes")
    return bytes(body)


def _stream(response: httpx.Response, settings: Settings, control: Control) -> Iterator[Item]:
    parser = mjpeg.Parser(mjpeg.boundary_of(response.headers.get("content-type", "")))
    patience = Patience(settings.silent_s)
    is_told = False
    yield Connected("MJPEG")
    try:
        for chunk in response.iter_raw():
            for jpeg in parser.feed(chunk):
                patience.pictured()
                if control.is_due(time.monotonic()):
                    yield Picture(time.time(), jpeg)
            if parser.is_boundary_wrong and parser.pictures and not is_told:
                is_told = True
                yield Connected(f"announced {parser.boundary[:40]!r}", code="wrong_boundary")
            if parser.is_hopeless:
                raise Fault(_code(parser), _half(parser))
            patience.check(_code(parser), _half(parser))
    except httpx.ReadTimeout:
        raise Fault("silent", _half(parser)) from None


def _code(parser: mjpeg.Parser) -> str:
    """What it means that bytes come and no picture does."""
    if parser.is_boundary_wrong:
        return "wrong_boundary"
    return "not_a_picture" if parser.halves or parser.is_nonsense else "silent"


def _half(parser: mjpeg.Parser) -> str:
    return "half a picture" if parser.has_half or parser.halves else "no JPEG" if parser.is_nonsense else ""
