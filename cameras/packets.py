"""The last compressed pictures of a camera on disk, as it sent them: clips are made by copying them. Pure.

A file holds one group of pictures, from a key picture to the next, or one of several stretches of a long group; its
name says when its pictures were captured and what it needs before it. The reader collects, ingest writes
(packet_ring.py), the recorder links, media workers copy. A masked camera has none: they show what its masks hide.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = "packets"
SUFFIX = ".gop"
CODECS = ("h264", "hevc")

STRETCH_S = 2.0  # Of one file: a clip is not kept waiting for the end of a long group.
STRETCH_BYTES = 8_000_000
STEP_US = 1_000  # Least, from a first key picture to the next picture.

MAGIC = b"OGP1"
START = struct.Struct("!4sI")
PACKET = struct.Struct("!qqBI")  # Presentation and decoding time in microseconds, flags, size.
KEY = 1
NAME = re.compile(r"(\d{17})-(\d{17})-(\d{17})-(\d{4,9})-([0-9a-f]{8})\.gop", re.ASCII)


class Damaged(ValueError):
    """The bytes are no group of pictures."""


@dataclass(frozen=True, slots=True)
class Form:
    """What pictures must have in common to stand in one clip. `extradata` are the parameter sets."""

    codec: str
    width: int
    height: int
    extradata: bytes

    @property
    def id(self) -> str:
        text = f"{self.codec} {self.width} {self.height} {self.extradata.hex()}"
        return f"{zlib.crc32(text.encode()):08x}"


@dataclass(frozen=True, slots=True)
class Packet:
    """One compressed picture. `pts_us` is its capture time in microseconds; `dts_us` is less where pictures are sent in
    another order than they are shown."""

    pts_us: int
    dts_us: int
    is_key: bool
    data: bytes


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """What a file's name says: the times of its first and last picture and of the key picture it depends on (all in
    microseconds), its place in the group, and its form. Names sort by capture time."""

    first_us: int
    last_us: int
    key_us: int
    n: int
    form: str

    def __str__(self) -> str:
        return f"{self.first_us:017d}-{self.last_us:017d}-{self.key_us:017d}-{self.n:04d}-{self.form}{SUFFIX}"

    def follows(self, other: Name | None) -> bool:
        """Whether this can be decoded after that one, or without anything before it."""
        if self.n == 0:
            return True
        return other is not None and (other.key_us, other.n, other.form) == (self.key_us, self.n - 1, self.form)


def parse(name: str) -> Name:
    """Raises ValueError where this is no such name."""
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name[:80]!r} is no name of a group of pictures")
    first, last, key, n = (int(text) for text in found.groups()[:4])
    return Name(first, last, key, n, found[5])


def names_in(folder: Path) -> list[Name]:
    """In order of capture; none where the folder is gone."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [parse(name) for name in sorted(entry.name for entry in entries) if NAME.fullmatch(name)]
    return []


def unbroken(names: Iterable[Name], *, after: Name | None = None) -> list[Name]:
    """Those that can be decoded one after the other, the first one after that one; what lacks its beginning is left
    out."""
    found: list[Name] = []
    for name in names:
        if name.follows(found[-1] if found else after):
            found.append(name)
    return found


# --- One file ---


def pack(form: Form, name: Name, packets: Sequence[Packet]) -> bytes:
    about = {
        "codec": form.codec,
        "width": form.width,
        "height": form.height,
        "extradata": form.extradata.hex(),
        "name": str(name),
    }
    head = json.dumps(about).encode()
    parts = [START.pack(MAGIC, len(head)), head]
    for packet in packets:
        parts += (PACKET.pack(packet.pts_us, packet.dts_us, KEY * packet.is_key, len(packet.data)), packet.data)
    return b"".join(parts)


def name_in(body: bytes) -> Name:
    """Under which it is to be kept. Raises Damaged."""
    try:
        return parse(str(_about(body)[0]["name"]))
    except (KeyError, ValueError) as error:
        raise Damaged(str(error)) from None


def unpack(body: bytes) -> tuple[Form, list[Packet]]:
    """Raises Damaged; a file that a power cut has shortened is damaged."""
    about, at = _about(body)
    packets = []
    try:
        form = Form(about["codec"], int(about["width"]), int(about["height"]), bytes.fromhex(about["extradata"]))
        while at < len(body):
            pts_us, dts_us, flags, size = PACKET.unpack_from(body, at)
            at += PACKET.size
            if at + size > len(body):
                raise Damaged("the last picture is cut off")
            packets.append(Packet(pts_us, dts_us, bool(flags & KEY), body[at : at + size]))
            at += size
    except (KeyError, ValueError, TypeError, struct.error) as error:
        raise Damaged(str(error)) from None
    if form.codec not in CODECS or not packets:
        raise Damaged(f"{form.codec}, {len(packets)} pictures")
    return form, packets


def _about(body: bytes) -> tuple[dict[str, str], int]:
    try:
        magic, length = START.unpack_from(body)
        about = json.loads(body[START.size : START.size + length])
    except (struct.error, ValueError) as error:
        raise Damaged(str(error)) from None
    if magic != MAGIC or not isinstance(about, dict):
        raise Damaged("no group of pictures")
    return about, START.size + length


class Collector:
    """Puts the packets of one connection together to files. What comes before the first key picture is of no use to
    anybody, nor what is shown before it, which may depend on what came earlier."""

    def __init__(self) -> None:
        self._form: Form | None = None
        self._packets: list[Packet] = []
        self._size = 0
        self._key_us = 0
        self._n = 0
        self._groups = 0
        self._has_begun = False  # With a picture that is shown after the first key picture.

    def add(self, packet: Packet, form: Form) -> bytes | None:
        """Takes the next packet in; returns a file that is complete without it."""
        done = None
        if packet.is_key:
            done = self.flush()
            self._form, self._key_us, self._n = form, packet.pts_us, 0
            self._groups += 1
        elif self._form is None or (not self._has_begun and packet.pts_us < self._key_us):
            return None
        elif self._packets and self._is_long(packet):
            done = self._take()
            self._n += 1
        self._has_begun = self._has_begun or not packet.is_key
        if self._groups == 1 and self._n == 0 and not packet.is_key and packet.pts_us <= self._key_us:
            self._begin_before(packet)
        self._packets.append(packet)
        self._size += len(packet.data)
        return done

    def _begin_before(self, packet: Packet) -> None:
        """The first time of a connection is known worst: where pictures are sent in another order than they are shown
        it may come out later than those of pictures shown after it."""
        first, self._key_us = self._packets[0], packet.pts_us - STEP_US
        self._packets[0] = replace(first, pts_us=self._key_us, dts_us=min(first.dts_us, self._key_us))

    def _is_long(self, packet: Packet) -> bool:
        length_us = packet.dts_us - self._packets[0].dts_us
        return length_us >= STRETCH_S * 1e6 or self._size + len(packet.data) > STRETCH_BYTES

    def flush(self) -> bytes | None:
        """What there is, and the group is over: nothing may be added to it."""
        done = self._take() if self._packets else None
        self._form = None
        return done

    def _take(self) -> bytes:
        assert self._form is not None
        times = [packet.pts_us for packet in self._packets]
        name = Name(min(times), max(times), self._key_us, self._n, self._form.id)
        body = pack(self._form, name, self._packets)
        self._packets, self._size = [], 0
        return body


# --- Files that are not wanted any more ---


def drop_all(camera: Path) -> None:
    """Everything of this kind below the camera's folder: the ring's, and what takes have linked and not copied yet."""
    for path in [*camera.glob(f"{FOLDER}/*{SUFFIX}"), *camera.glob(f"takes/*/{FOLDER}/*{SUFFIX}")]:
        path.unlink(missing_ok=True)
