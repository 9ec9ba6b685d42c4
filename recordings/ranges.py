"""Files whole or in ranges, read only as fast as they are taken: bounded memory however many read, however slowly."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import content_disposition_header, http_date
from werkzeug.http import parse_if_range_header, parse_range_header

from recordings.parts import Piece

CHUNK_BYTES = 65_536
MOST_RANGES = 16  # Whoever asks for more is given everything.
READERS = 4  # Threads of their own: a slow disk must not keep frames waiting.
NO_BYTES = re.compile(r"(?<==|,)\s*-0+\s*$")  # "The last 0 bytes": RFC 9110 calls it unsatisfiable, werkzeug bad.


@dataclass(frozen=True, slots=True)
class Content:
    """Pieces that are served as one file."""

    pieces: list[Piece]
    kind: str
    etag: str  # With its quotes.
    modified_at: datetime
    name: str = ""  # Offered as a download under this name.

    @property
    def size(self) -> int:
        return sum(piece.length for piece in self.pieces)

    def cut(self, start: int, stop: int) -> list[Piece]:
        """What of the pieces lies in [start, stop)."""
        found, at = [], 0
        for piece in self.pieces:
            first, last = max(start, at), min(stop, at + piece.length)
            if first < last:
                found.append(Piece(piece.path, piece.offset + first - at, last - first))
            at += piece.length
        return found


def piece_of(path: Path) -> Piece:
    """The whole file. Raises FileNotFoundError."""
    return Piece(path, 0, path.stat().st_size)


class Chunks:
    """Bytes of texts and files in turn, at most one open at a time; whoever takes them closes them."""

    def __init__(self, parts: list[bytes | Piece]) -> None:
        self._parts = iter(parts)
        self._piece: Piece | None = None
        self._file: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")

    def read(self) -> bytes:
        """The next bytes, none at the end. A file that became shorter raises OSError, for the length was promised."""
        if self._piece is None:
            part = next(self._parts, b"")
            if isinstance(part, bytes):
                return part
            self._piece, self._file = part, os.open(part.path, os.O_RDONLY)
        assert self._file is not None
        piece = self._piece
        chunk = os.pread(self._file, min(CHUNK_BYTES, piece.length), piece.offset)
        if not chunk:
            raise OSError(f"{piece.path} became shorter while it was read.")
        rest = piece.length - len(chunk)
        self._piece = replace(piece, offset=piece.offset + len(chunk), length=rest)
        if rest == 0:
            self.close()
        return chunk

    def close(self) -> None:
        self._piece = None
        if self._file is not None:
            os.close(self._file)
            self._file = None


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, thread_name_prefix="ranges")


class ChunkedResponse(StreamingHttpResponse):
    """Reads its next chunk when the server has sent the last one, and not in the server's thread."""

    def __init__(self, chunks: Chunks, **options: Any) -> None:
        self._chunks = chunks
        super().__init__(chunks, **options)  # Closes them, too.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while chunk := await loop.run_in_executor(_readers(), self._chunks.read):
            yield chunk


def respond(request: HttpRequest, content: Content) -> HttpResponseBase:
    """Answers GET and HEAD as RFC 9110 says: conditions first, then ranges, else everything."""
    unchanged = get_conditional_response(request, content.etag, int(content.modified_at.timestamp()))
    if unchanged is not None:
        return _dressed(unchanged, content)
    ranges = asked_ranges(request, content)
    if ranges is None:
        return _dressed(_body(request, content, 200, [*content.pieces], content.size), content)
    if not ranges:
        refusal = HttpResponse(status=416)
        refusal["Content-Range"] = f"bytes */{content.size}"
        return _dressed(refusal, content)
    if len(ranges) > 1:
        return _dressed(_several(request, content, ranges), content)
    ((start, stop),) = ranges
    response = _body(request, content, 206, [*content.cut(start, stop)], stop - start)
    response["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    return _dressed(response, content)


def asked_ranges(request: HttpRequest, content: Content) -> list[tuple[int, int]] | None:
    """The ranges [start, stop) to send: None where everything is to be sent, none where none can be."""
    header = request.headers.get("Range", "") if request.method == "GET" else ""
    wanted = NO_BYTES.sub("", header).rstrip(", \t")
    if wanted != header and wanted.replace(" ", "") == "bytes=":
        return [] if _is_same(request, content) else None
    asked = parse_range_header(wanted)
    if asked is None or asked.units != "bytes" or len(asked.ranges) > MOST_RANGES or not _is_same(request, content):
        return None
    size, found = content.size, []
    for start, stop in asked.ranges:
        first = max(0, size + start) if start < 0 else start
        if first < size:
            found.append((first, min(size, stop or size)))
    return found


def _is_same(request: HttpRequest, content: Content) -> bool:
    """Whether what the asker has a part of is what we have; without If-Range nobody doubts it."""
    if not (header := request.headers.get("If-Range")):
        return True
    if header.startswith("W/"):
        return False
    condition = parse_if_range_header(header)
    if condition.date is not None:
        return condition.date == content.modified_at.replace(microsecond=0)
    return f'"{condition.etag}"' == content.etag


def _several(request: HttpRequest, content: Content, ranges: list[tuple[int, int]]) -> HttpResponseBase:
    boundary = secrets.token_hex(16)
    parts: list[bytes | Piece] = []
    for start, stop in ranges:
        head = f"--{boundary}\r\nContent-Type: {content.kind}\r\nContent-Range: bytes {start}-{stop - 1}/{content.size}"
        parts += [f"{head}\r\n\r\n".encode(), *content.cut(start, stop), b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    size = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)
    response = _body(request, content, 206, parts, size)
    response["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return response


def _body(
    request: HttpRequest, content: Content, status: int, parts: list[bytes | Piece], size: int
) -> HttpResponseBase:
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(status=status, content_type=content.kind)
    else:
        filled = [part for part in parts if isinstance(part, bytes) or part.length]
        response = ChunkedResponse(Chunks(filled), status=status, content_type=content.kind)
    response["Content-Length"] = str(size)
    return response


def _dressed(response: HttpResponseBase, content: Content) -> HttpResponseBase:
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = content.etag
    response["Last-Modified"] = http_date(content.modified_at.timestamp())
    if content.name and response.status_code in {200, 206}:
        response["Content-Disposition"] = content_disposition_header(True, content.name)
    patch_cache_control(response, private=True, max_age=0, must_revalidate=True)
    return response
