"""What a reader says to ingest through its standard output: framed messages, each a header and a body. Pure."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

# Kind, length of the body, capture time; network byte order.
HEADER = struct.Struct("!BId")
MAX_BODY = 32_000_000  # A group of pictures as it came, at the most.


class Kind(IntEnum):
    STATE = 1  # JSON: see State.
    FRAME = 2  # One JPEG, as it came.
    PACKETS = 3  # One group of compressed pictures, as cameras/packets describes it.
    MADE = 4  # One JPEG that the reader made itself.


class Broken(ValueError):
    """What came is no message: the reader must have lost its mind, and is ended."""


@dataclass(frozen=True, slots=True)
class Message:
    kind: Kind
    captured_at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class State:
    """How the source does: "connecting", "connected", "failed" (with a problem's code and detail) or "ended".

    `wants_answers`: the reader waits for each of its pictures to be answered before it gives more than a few.
    """

    state: str
    code: str = ""
    detail: str = ""
    wants_answers: bool = False


def pack(kind: Kind, body: bytes, captured_at: float = 0.0) -> bytes:
    return HEADER.pack(kind, len(body), captured_at) + body


def pack_state(state: State) -> bytes:
    body = {
        "state": state.state,
        "code": state.code,
        "detail": state.detail,
        "wants_answers": state.wants_answers,
    }
    return pack(Kind.STATE, json.dumps(body).encode())


def unpack_header(header: bytes) -> tuple[Kind, int, float]:
    """Raises Broken."""
    kind, length, captured_at = HEADER.unpack(header)
    if kind not in tuple(Kind) or length > MAX_BODY:
        raise Broken(f"kind {kind}, {length} bytes")
    return Kind(kind), length, captured_at


def unpack_state(body: bytes) -> State:
    """Raises Broken."""
    try:
        fields: dict[str, Any] = json.loads(body)
        return State(
            str(fields["state"]), str(fields["code"]), str(fields["detail"]), bool(fields.get("wants_answers"))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken("no state") from error
