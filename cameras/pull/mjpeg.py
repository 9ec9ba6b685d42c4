"""Finds the pictures in a `multipart/x-mixed-replace` answer. Pure.

Cameras write these by hand: the mark between pictures has two dashes more or fewer than announced, or is another one,
lengths are missing or wrong, pictures break off. So a picture is known by its own first and last bytes; length and
mark only help to find its end. What is no whole picture is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SOI, EOI = b"\xff\xd8\xff", b"\xff\xd9"
LENGTH = re.compile(rb"content-length\s*:\s*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)
# What follows a picture's end where nothing else tells it: a line's end, the next mark, padding, or the next picture.
END = re.compile(rb"\xff\xd9(?=\r\n|\n|\xff\xd8\xff|\x00*\r?\n?--)")
PART = re.compile(rb"--[^\r\n]{1,100}\r?\n[Cc]ontent-")
MOST_BYTES = 16_000_000  # Of a picture; and of what is no picture, before there was one.
LONG_HEAD = 4_096
ENOUGH = 3  # Pictures without the announced mark between them: it is another.


def boundary_of(content_type: str) -> str:
    """The mark that is announced, as it stands there; "" where none is."""
    found = re.search(r'boundary\s*=\s*(?:"([^"]*)"|([^;\s]*))', content_type, re.IGNORECASE)
    return (found[1] or found[2] or "") if found else ""


class Parser:
    """Fed with bytes as they come; gives whole pictures."""

    def __init__(self, boundary: str) -> None:
        self.boundary = boundary
        self._core = boundary.strip().lstrip("-").encode("latin-1", "replace")
        self._buffer = bytearray()
        self._length: int | None = None
        self._is_inside = False
        self._searched = 0
        self._marks = 0
        self.pictures = 0
        self.halves = 0

    @property
    def has_half(self) -> bool:
        """Whether a picture has begun that is not whole yet."""
        return self._is_inside

    @property
    def is_boundary_wrong(self) -> bool:
        return bool(self.boundary) and self._marks == 0 and (self.pictures + self.halves >= ENOUGH or self.is_nonsense)

    @property
    def is_nonsense(self) -> bool:
        """Whether more has come without a picture in it than any head of a part is long."""
        return not self._is_inside and self._searched + len(self._buffer) > LONG_HEAD

    @property
    def is_hopeless(self) -> bool:
        """So much has come without any picture that none will."""
        return self._searched > MOST_BYTES and not self.pictures

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while True:
            jpeg = self._inside() if self._is_inside else self._between()
            if jpeg is None:
                return
            if jpeg:
                self.pictures += 1
                yield jpeg

    def _between(self) -> bytes | None:
        """Skips to the beginning of a picture: b"" where there is one, None where more bytes are needed first."""
        at = self._buffer.find(SOI)
        head = self._buffer if at < 0 else self._buffer[:at]
        if at < 0:
            if len(head) > 65_536:  # No part has such a head. A beginning may be cut in two, and so may a mark.
                self._count_marks(head)
                self._searched += len(head) - 256
                del self._buffer[:-256]
            return None
        self._count_marks(head)
        found = LENGTH.search(head)
        self._length = int(found[1]) if found and 0 < int(found[1]) <= MOST_BYTES else None
        del self._buffer[:at]
        self._is_inside, self._searched = True, 0
        return b""

    def _count_marks(self, head: bytes | bytearray) -> None:
        self._marks += bool(self._core and self._core in head)

    def _inside(self) -> bytes | None:
        if self._length is not None:
            if len(self._buffer) >= self._length:
                if self._buffer[max(0, self._length - 64) : self._length].rstrip(b"\0\r\n").endswith(EOI):
                    return self._take(self._length)
            elif (at := self._next_part(max(0, self._searched - 256))) is None:
                self._searched = len(self._buffer)
                return None
            else:  # The picture breaks off, or its length is too great.
                return self._take(at)
            self._length, self._searched = None, 0  # Wrong: the end is found as if there were none.
        return self._without_length()

    def _next_part(self, start: int) -> int | None:
        """Where the next part begins within: at the announced mark on a line of its own, or at any part's head."""
        at = self._buffer.find(b"\n--", start)
        while at >= 0:
            line = bytes(self._buffer[at + 1 : at + 200])
            if PART.match(line) or (self._core and self._marks and line.lstrip(b"-").startswith(self._core)):
                return at
            at = self._buffer.find(b"\n--", at + 1)
        return None

    def _without_length(self) -> bytes | None:
        start = max(0, self._searched - 256)
        if (at := self._next_part(start)) is not None:
            return self._take(at)
        if found := END.search(self._buffer, start):
            return self._take(found.start() + 2)
        if self._buffer.endswith(EOI):  # The next part is not there yet; waiting for it would cost a picture's time.
            return self._take(len(self._buffer))
        self._searched = len(self._buffer)
        if len(self._buffer) > MOST_BYTES:
            self._buffer.clear()
            return self._take(0)
        return None

    def _take(self, end: int) -> bytes:
        """The picture up to here, if it is whole; b"" where it is not."""
        jpeg = bytes(self._buffer[:end]).rstrip(b"\r\n")
        del self._buffer[:end]
        self._is_inside, self._length, self._searched = False, None, 0
        if jpeg[-64:].rstrip(b"\0").endswith(EOI):
            return jpeg
        self.halves += 1
        return b""
