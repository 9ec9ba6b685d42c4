"""Messages and frames told apart, however they arrive."""

from __future__ import annotations

import random
import socket

import pytest

from cameras.pull.rtsp_messages import MOST_BYTES, Incoming, Message, parse
from cameras.pull.source import Fault

ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-length:5\r\n\r\n$\0\xff\xffx"
FRAMES = b"$\0\0\x06video!$\1\0\0$\2\x02\x00" + b"R" * 512
ASKED = b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 7\r\n\r\n"


def parts_of(chunks: list[bytes]) -> tuple[list[Message], bytes]:
    ours, theirs = socket.socketpair()
    messages, frames = [], b""
    with ours, theirs:
        ours.setblocking(False)
        incoming = Incoming(ours)
        for chunk in chunks:
            theirs.sendall(chunk)
            while True:
                before = incoming._filled, incoming._left
                assert incoming.receive()
                for part in incoming.parts():
                    if isinstance(part, Message):
                        messages.append(part)
                    else:
                        frames += part
                if before == (incoming._filled, incoming._left):
                    break
    return messages, frames


@pytest.mark.parametrize("seed", range(20))
def test_any_division_into_pieces_gives_the_same(seed: int) -> None:
    stream, chance = (FRAMES + ANSWER + b"\r\n" + ASKED + FRAMES) * 5, random.Random(seed)
    cuts = sorted(chance.sample(range(len(stream)), seed * 4))
    chunks = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    messages, frames = parts_of(chunks)
    assert frames == FRAMES * 10
    assert [message.status for message in messages] == [200, 0] * 5
    assert messages[0].body == b"$\0\xff\xffx"
    assert (messages[1].method, messages[1].uri, messages[1].get("cseq")) == ("OPTIONS", "rtsp://h/", "7")


def test_a_piece_of_a_frame_does_not_wait_for_the_rest() -> None:
    assert parts_of([b"$\0\x10\x00abc"]) == ([], b"$\0\x10\x00abc")


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"rtsp",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"RTSP/1.0 OK\r\n\r\n",
        b"RTSP/1.0 1302 Found\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 65536\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nX: " + b"x" * MOST_BYTES,
    ],
    ids=["noise", "lower case", "http", "no status", "long status", "large body", "large head"],
)
def test_what_is_no_rtsp_is_refused(data: bytes) -> None:
    with pytest.raises(Fault) as fault:
        parts_of([data])
    assert (fault.value.code, fault.value.detail) == ("unsupported", "no RTSP")


def test_a_message_is_packed_without_what_could_be_read_in_two_ways() -> None:
    fields = b"A: 1\nB :2\r\n$\0\0\1x: y\r\n folded: 3\r\nLocation: z\r\nA: 4\r\nContent-Length: 9"
    message = parse(b"RTSP/1.0 200 OK\r\n" + fields + b"\r\n\r\nbody")
    assert message.all("a") == ["1", "4"]
    packed = message.pack(("CSeq", "5"), but=("location",))
    assert packed == b"RTSP/1.0 200 OK\r\nCSeq: 5\r\nA: 1\r\nB: 2\r\nA: 4\r\nContent-Length: 4\r\n\r\nbody"
