"""RTSP on a connection: messages, which are text, between frames of video and of its reports. Pure."""

from __future__ import annotations

import re
import socket
import ssl
import string
from collections.abc import Iterator
from dataclasses import dataclass

from cameras.pull.source import Fault

MOST_BYTES = 65_536  # Of a message, its body included.
DOLLAR = ord("$")  # A frame: "$", channel, 16 bits of length, and as many bytes.
NO_RTSP = ("unsupported", "no RTSP")

LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,9})", re.IGNORECASE)
ANSWER = re.compile(r"RTSP/\d\.\d +(\d{3})\b *(.*)")
REQUEST = re.compile(r"([A-Z_]+) (\S+) RTSP/\d\.\d")
FIELD = re.compile(r"([A-Za-z][\w-]*)[ \t]*:(.*)")

Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """A request, with a method and a URI, or an answer, with a status."""

    fields: tuple[Field, ...]
    body: bytes = b""
    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def pack(self, *fields: Field, but: tuple[str, ...] = ()) -> bytes:
        """With these fields instead of its own ones of the same name, and without some others."""
        without = {name.lower() for name in (*but, *(name for name, _ in fields))}
        kept = [field for field in self.fields if field[0].lower() not in without]
        length = [("Content-Length", str(len(self.body)))] if self.body else []
        first = f"{self.method} {self.uri} RTSP/1.0" if self.method else f"RTSP/1.0 {self.status} {self.reason}"
        lines = [first, *(f"{name}: {value}" for name, value in [*fields, *kept, *length])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def parse(raw: bytes) -> Message:
    """Line by line, so that whoever reads it packed again sees the same lines as we do. Raises Fault."""
    head, _blank, body = raw.partition(b"\r\n\r\n")
    first, *lines = (line.decode("latin-1") for line in head.splitlines())
    matches = (FIELD.fullmatch(line) for line in lines)
    named = ((match[1], match[2].strip()) for match in matches if match)
    fields = tuple(field for field in named if field[0].lower() != "content-length")
    if answer := ANSWER.fullmatch(first):
        return Message(fields, body, status=int(answer[1]), reason=answer[2])
    if request := REQUEST.fullmatch(first):
        return Message(fields, body, method=request[1], uri=request[2])
    raise Fault(*NO_RTSP)


class Incoming:
    """One side of a connection: frames as they come, in pieces too, so that nothing waits; messages whole."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._bytes = bytearray(MOST_BYTES)
        self._filled = 0
        self._left = 0  # Of a frame, what is still to come.

    def receive(self) -> bool:
        """Takes in what has come; False at the end of the connection."""
        try:
            count = self._connection.recv_into(memoryview(self._bytes)[self._filled :])
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        self._filled += count
        return count > 0

    def parts(self) -> Iterator[memoryview | Message]:
        """What was received; each part is good until the next. Raises Fault where it is no RTSP."""
        view = memoryview(self._bytes)
        begin = at = 0
        while at < self._filled:
            if self._left:
                step = min(self._left, self._filled - at)
                self._left -= step
                at += step
            elif view[at] == DOLLAR:
                if self._filled - at < 4:
                    break
                self._left = 4 + int.from_bytes(view[at + 2 : at + 4], "big")
            else:
                if begin < at:
                    yield view[begin:at]
                begin = at
                length = self._length(at)
                if self._filled - at < length:
                    break
                begin = at = at + length
                if length > 1:
                    yield parse(bytes(view[at - length : at]))
        if begin < at:
            yield view[begin:at]
        self._filled -= at
        view[: self._filled] = view[at : at + self._filled]

    def _length(self, at: int) -> int:
        """Of the message that begins here, or more than there is as yet. A line's end between messages is skipped."""
        if self._bytes[at] in b"\r\n":
            return 1
        ends_at = self._bytes.find(b"\r\n\r\n", at, self._filled)
        length = self._filled - at + 1
        if ends_at >= 0:
            body = LENGTH.search(self._bytes, at, ends_at)
            length = ends_at + 4 - at + (int(body[1]) if body else 0)
        if self._bytes[at] not in string.ascii_uppercase.encode() or length > MOST_BYTES:
            raise Fault(*NO_RTSP)
        return length
