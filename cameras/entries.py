"""One entry of a camera's log: 64 bytes on disk, of which the last eight may change once, when the frame is settled."""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum, IntFlag
from typing import NamedTuple

SIZE = 64
# n, kind, reason, flags, (spare), stream, seq, size, captured_at, received_at; then the checksum of all these.
HEAD = struct.Struct("<QBBBx16sIIdd")
CHECKSUM = struct.Struct("<I")
# Settled later and in place: outcome and people. Outside the checksum, so that settling is one small write.
TAIL = struct.Struct("<BB6x")
TAIL_AT = HEAD.size + CHECKSUM.size
assert TAIL_AT + TAIL.size == SIZE

# Why a verdict was given; the position is what is stored, so new reasons go to the end.
REASONS = (
    "",
    "presence",
    "person",
    "motion",
    "hold",
    "learning",
    "sample",
    "analysis_silent",
    "gate_saturated",
    "gate_error",
    "quiet",
    "empty",
    "lag",
    "capacity",
    "spool_full",
    "disk_full",
    "disk_error",
    "short_header",
    "wrong_version",
    "wrong_codec",
    "too_large",
    "not_jpeg",
    "truncated",
    "unsupported",
    "corrupt",
    "too_many_pixels",
    "too_old",
    "too_new",
    "disorder",
    "over_credit",
    "silent",
    "message_too_large",
    "not_binary",
    "internal",
    "late",
    "repeated",
    "empty_message",
)
REASON_CODES = {reason: code for code, reason in enumerate(REASONS)}


class Kind(IntEnum):
    """What an entry records; the first three are a frame's verdict."""

    ADMITTED = 1
    NO_MOTION = 2
    NO_PERSON = 3
    NO_SIGHT = 4  # The clock: nothing received since `captured_at`, written at `received_at`.
    BUSY = 5  # So many (`size`) frames of this second were refused as busy.
    INVALID = 6  # So many (`size`) messages of this second were invalid.


VERDICTS = {Kind.ADMITTED: "admitted", Kind.NO_MOTION: "no_motion", Kind.NO_PERSON: "no_person"}


class Flag(IntFlag):
    SAMPLE = 1  # Refused by the gate, admitted all the same to count what the gate misses.
    FROZEN = 2  # The same bytes as for the last while: a picture that stands still is not sight.
    OBSCURED = 4  # Black or covered for a while: there is nothing in it that could be seen.


class Outcome(IntEnum):
    WAITING = 0
    ANALYSED = 1
    FAILED = 2


# Looked up rather than called: the pages' lamps, the clock and the recorder read hundreds of entries a second.
KINDS = {int(kind): kind for kind in Kind}
FLAGS = tuple(Flag(bits) for bits in range(8))
OUTCOMES = tuple(Outcome)


class Entry(NamedTuple):
    """`people` is how many persons analysis saw in the frame; it counts once `outcome` is ANALYSED."""

    n: int
    kind: Kind
    reason: str
    flags: Flag
    stream: str
    seq: int
    size: int
    captured_at: float
    received_at: float
    outcome: Outcome = Outcome.WAITING
    people: int = 0

    def pack(self) -> bytes:
        head = HEAD.pack(
            self.n,
            self.kind,
            REASON_CODES[self.reason],
            self.flags,
            bytes.fromhex(self.stream),
            self.seq,
            self.size,
            self.captured_at,
            self.received_at,
        )
        return head + CHECKSUM.pack(zlib.crc32(head)) + TAIL.pack(self.outcome, self.people)


def unpack(raw: bytes) -> Entry | None:
    """The entry in these 64 bytes, or None where they are not whole."""
    if len(raw) != SIZE or CHECKSUM.unpack_from(raw, HEAD.size)[0] != zlib.crc32(raw[: HEAD.size]):
        return None
    n, kind, reason, flags, stream, seq, size, captured_at, received_at = HEAD.unpack_from(raw)
    outcome, people = TAIL.unpack_from(raw, TAIL_AT)
    return Entry(
        n,
        KINDS[kind],
        REASONS[reason],
        FLAGS[flags],
        stream.hex(),
        seq,
        size,
        captured_at,
        received_at,
        OUTCOMES[outcome],
        people,
    )
