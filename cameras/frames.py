"""A frame and its wire format: what a source sends to the capture socket. Pure; reads no picture, only the header."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# version, codec, mask version, sequence number, capture time; network byte order.
HEADER = struct.Struct("!BBHId")
VERSION = 1
CODEC_JPEG = 0


class BadFrame(ValueError):
    """A message that is not a frame; `reason` is the code sent back and counted, `seq` is set when it could be read."""

    def __init__(self, reason: str, *, seq: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Frame:
    """One JPEG of one camera. Times are Unix seconds; `stream`, 32 hexadecimal digits, names one run of a source.

    `mask_version` says which of the camera's masks are in the picture already (`zones.wire_version`; 0: none).
    `is_sound`: Omil encoded the picture itself a moment ago, and need not look whether it is damaged.
    """

    camera_id: int
    stream: str
    seq: int
    captured_at: float
    received_at: float
    jpeg: bytes
    mask_version: int = 0
    is_sound: bool = False


def parse(message: bytes, *, camera_id: int, stream: str, received_at: float, max_bytes: int) -> Frame:
    """The frame in a binary message. Raises BadFrame."""
    if len(message) < HEADER.size:
        raise BadFrame("short_header")
    version, codec, mask_version, seq, captured_at = HEADER.unpack_from(message)
    if version != VERSION:
        raise BadFrame("wrong_version", seq=seq)
    if codec != CODEC_JPEG:
        raise BadFrame("wrong_codec", seq=seq)
    if len(message) - HEADER.size > max_bytes:
        raise BadFrame("too_large", seq=seq)
    if len(message) == HEADER.size:
        raise BadFrame("empty_message", seq=seq)
    return Frame(camera_id, stream, seq, captured_at, received_at, message[HEADER.size :], mask_version)


def header(seq: int, captured_at: float, mask_version: int = 0) -> bytes:
    return HEADER.pack(VERSION, CODEC_JPEG, mask_version, seq, captured_at)


def check_time(captured_at: float, now: float, *, max_age_s: float, max_ahead_s: float) -> str | None:
    """Why this capture time is refused, or None. A NaN is neither inside nor outside and is refused too."""
    if not now - max_age_s <= captured_at <= now + max_ahead_s:
        return "too_new" if captured_at > now else "too_old"
    return None
