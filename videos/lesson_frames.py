"""A picture of a learner on the wire. Pure: header and JPEG, as the lesson page sends them."""

from __future__ import annotations

import math
import struct
from typing import NamedTuple
from uuid import UUID

# Version, codec, reserved, sequence number, run, and the reference's time at this moment; network byte order.
HEADER = struct.Struct("!BBHI16sd")
VERSION, CODEC_JPEG = 1, 0
MOST_BYTES = 300_000
MOST_PIXELS = 1_280 * 960


class BadPicture(ValueError):
    """The text is a code that is sent back; `seq` where it could be read."""

    def __init__(self, code: str, seq: int | None = None) -> None:
        super().__init__(code)
        self.code, self.seq = code, seq


class Picture(NamedTuple):
    seq: int
    run: UUID
    at_s: float
    jpeg: bytes


def parse(message: bytes) -> Picture:
    """Raises BadPicture."""
    if len(message) < HEADER.size:
        raise BadPicture("short_header")
    version, codec, _reserved, seq, run, at_s = HEADER.unpack_from(message)
    if version != VERSION:
        raise BadPicture("wrong_version", seq)
    if codec != CODEC_JPEG:
        raise BadPicture("wrong_codec", seq)
    if len(message) - HEADER.size > MOST_BYTES:
        raise BadPicture("too_large", seq)
    if not (math.isfinite(at_s) and at_s >= 0):
        raise BadPicture("wrong_time", seq)
    return Picture(seq, UUID(bytes=run), at_s, message[HEADER.size :])


def pack(picture: Picture) -> bytes:
    return HEADER.pack(VERSION, CODEC_JPEG, 0, picture.seq, picture.run.bytes, picture.at_s) + picture.jpeg
