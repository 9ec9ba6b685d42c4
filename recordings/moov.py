"""The times of an MP4's pictures, read from its tables and without decoding; of finished clips and of open ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from recordings.parts import Piece, boxes

Span = tuple[int, int]  # Of a box's content within its bytes.

HAS_DEFAULT_DURATION, HAS_DATA_OFFSET, HAS_FIRST_FLAGS = 0x8, 0x1, 0x4
HAS_DURATION, HAS_SIZE, HAS_FLAGS, HAS_OFFSET = 0x100, 0x200, 0x400, 0x800


class UnreadableError(ValueError):
    """The file is no MP4 with a track of pictures."""


def times(pieces: Iterable[Piece]) -> list[float]:
    """Seconds from the clip's beginning, in order. Raises OSError or UnreadableError."""
    found: list[int] = []
    timescale = 0
    for path in dict.fromkeys(piece.path for piece in pieces):
        for name, data in _tables(path):
            try:
                if name == "moov":
                    track = _track(data)
                    timescale = timescale or _timescale(data, track)
                    found += _of_table(data, _find(data, track, "minf", "stbl", "stts"))
                else:
                    found += _of_fragment(data)
            except (IndexError, ValueError) as error:
                raise UnreadableError(f"{path}: {error}") from error
    if not timescale:
        raise UnreadableError("There is no track of pictures.")
    first = found[0] if found else 0
    return [(time - first) / timescale for time in found]


def codec(pieces: Iterable[Piece]) -> str:
    """As four letters: "avc1" is H.264, "hvc1" H.265. Raises OSError or UnreadableError."""
    for path in dict.fromkeys(piece.path for piece in pieces):
        for name, data in _tables(path):
            if name == "moov":
                try:
                    described = _find(data, _track(data), "minf", "stbl", "stsd")[0]
                except ValueError as error:
                    raise UnreadableError(f"{path}: {error}") from error
                return data[described + 12 : described + 16].decode("latin-1")
    raise UnreadableError("There is no track of pictures.")


def _tables(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each moov and moof, without its header."""
    with path.open("rb") as file:
        for name, offset, size in boxes(path):
            if name in {"moov", "moof"}:
                file.seek(offset + 8)
                yield name, file.read(size - 8)


def _children(data: bytes, span: Span) -> Iterator[tuple[str, Span]]:
    at, end = span
    while at + 8 <= end:
        size = _number(data, at)
        if size < 8:
            raise ValueError("a box has no size")
        yield data[at + 4 : at + 8].decode("latin-1"), (at + 8, min(end, at + size))
        at += size


def _find(data: bytes, span: Span, *path: str) -> Span:
    for wanted in path:
        span = next((inner for name, inner in _children(data, span) if name == wanted), (0, 0))
        if span == (0, 0):
            raise ValueError(f"there is no {wanted}")
    return span


def _track(data: bytes) -> Span:
    """What the moov says of the media of its track of pictures."""
    for name, span in _children(data, (0, len(data))):
        if name == "trak":
            media = _find(data, span, "mdia")
            handler = _find(data, media, "hdlr")[0]
            if data[handler + 8 : handler + 12] == b"vide":
                return media
    raise ValueError("there is no track of pictures")


def _timescale(data: bytes, media: Span) -> int:
    header = _find(data, media, "mdhd")[0]
    return _number(data, header + (20 if data[header] else 12))


def _of_table(data: bytes, span: Span) -> list[int]:
    """Of a finished clip: runs of pictures that last equally long."""
    found, now, at = [], 0, span[0] + 8
    for _ in range(_number(data, span[0] + 4)):
        count, duration = _number(data, at), _number(data, at + 4)
        found += [now + number * duration for number in range(count)]
        now, at = now + count * duration, at + 8
    return found


def _of_fragment(data: bytes) -> list[int]:
    """Of an open clip: the pictures of one fragment."""
    fragment = _find(data, (0, len(data)), "traf")
    header, start = _find(data, fragment, "tfhd")[0], _find(data, fragment, "tfdt")[0]
    now = int.from_bytes(data[start + 4 : start + 12]) if data[start] else _number(data, start + 4)
    flags = _number(data, header) & 0xFFFFFF
    before = 8 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
    usual = _number(data, header + before) if flags & HAS_DEFAULT_DURATION else 0
    found: list[int] = []
    for name, (at, _end) in _children(data, fragment):
        if name != "trun":  # codespell:ignore
            continue
        flags, count = _number(data, at) & 0xFFFFFF, _number(data, at + 4)
        at += 8 + 4 * bool(flags & HAS_DATA_OFFSET) + 4 * bool(flags & HAS_FIRST_FLAGS)
        step = 4 * sum(bool(flags & bit) for bit in (HAS_DURATION, HAS_SIZE, HAS_FLAGS, HAS_OFFSET))
        for number in range(count):
            found.append(now)
            now += _number(data, at + number * step) if flags & HAS_DURATION else usual
    return found


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise ValueError("a box is cut off")
    return int.from_bytes(data[at : at + 4])
