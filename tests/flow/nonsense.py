"""Messages that are no frames, with the reason that each is refused for, and frames that look odd but are in order."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable

from tests.flow.post import HELLO, frame, picture

JPEG = picture()
MOST_BYTES, MEBIBYTE = 1_000_000, 1_048_576


def declared(width: int, height: int) -> bytes:
    """The picture, saying that it is of this size."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack("!HH", height, width) + JPEG[at + 4 :]


def of_kind(marker: bytes) -> bytes:
    return JPEG.replace(b"\xff\xc0", b"\xff" + marker, 1)


def padded(size: int) -> bytes:
    return JPEG.ljust(size, b"\0")


BAD: dict[str, tuple[str, Callable[[int], str | bytes]]] = {
    "text": ("not_binary", lambda seq: "not a frame"),
    "another hello": ("not_binary", lambda seq: HELLO),
    "nothing": ("short_header", lambda seq: b""),
    "half a header": ("short_header", lambda seq: frame(seq, b"")[:15]),
    "a header alone": ("empty_message", lambda seq: frame(seq, b"")),
    "version 0": ("wrong_version", lambda seq: frame(seq, JPEG, version=0)),
    "version 2": ("wrong_version", lambda seq: frame(seq, JPEG, version=2)),
    "another codec": ("wrong_codec", lambda seq: frame(seq, JPEG, codec=1)),
    "a GIF": ("not_jpeg", lambda seq: frame(seq, b"GIF89a" + bytes(100))),
    "no picture at all": ("not_jpeg", lambda seq: frame(seq, b"\0" * 5_000)),
    "half a JPEG": ("truncated", lambda seq: frame(seq, JPEG[: len(JPEG) // 2])),
    "the beginning of a JPEG": ("truncated", lambda seq: frame(seq, JPEG[:30])),
    "a JPEG less its last byte": ("truncated", lambda seq: frame(seq, JPEG[:-1])),
    "more after its end": ("corrupt", lambda seq: frame(seq, JPEG + b"and more")),
    "zero pixels high": ("corrupt", lambda seq: frame(seq, declared(640, 0))),
    "a lossless JPEG": ("unsupported", lambda seq: frame(seq, of_kind(b"\xc3"))),
    "20,000 by 20,000": ("too_many_pixels", lambda seq: frame(seq, declared(20_000, 20_000))),
    "one byte too large": ("too_large", lambda seq: frame(seq, padded(MOST_BYTES + 1))),
    "a message of one mebibyte": ("too_large", lambda seq: frame(seq, padded(MEBIBYTE - 16))),
    "captured a minute and a second ago": ("too_old", lambda seq: frame(seq, JPEG, time.time() - 61)),
    "captured in 1970": ("too_old", lambda seq: frame(seq, JPEG, 0.0)),
    "captured before all time": ("too_old", lambda seq: frame(seq, JPEG, -math.inf)),
    "captured at no time": ("too_old", lambda seq: frame(seq, JPEG, math.nan)),
    "captured in five seconds": ("too_new", lambda seq: frame(seq, JPEG, time.time() + 5)),
    "captured after all time": ("too_new", lambda seq: frame(seq, JPEG, math.inf)),
    "the last number again": ("disorder", lambda seq: frame(seq - 1, JPEG)),
    "an earlier number": ("disorder", lambda seq: frame(seq - 2, JPEG)),
}
FINE: dict[str, Callable[[int], bytes]] = {
    "as large as may be": lambda seq: frame(seq, padded(MOST_BYTES)),
    "captured just within the window": lambda seq: frame(seq, JPEG, time.time() - 55),
    "from a clock a little ahead": lambda seq: frame(seq, JPEG, time.time() + 1),
}
