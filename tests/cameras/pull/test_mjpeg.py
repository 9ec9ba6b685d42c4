"""Finding pictures in what cameras send: right, cut into any pieces, and wrong in every way that was thought of."""

from __future__ import annotations

import random

import pytest

from cameras.pull.mjpeg import Parser, boundary_of
from tests.fakes import numbered_picture

PICTURES = [numbered_picture(number) for number in range(4)]


def parts(mark: str = "--frame", *, length: int | None = -1, ending: str = "\r\n") -> bytes:
    """All pictures; a length of -1 is the right one."""
    body = b""
    for jpeg in PICTURES:
        said = f"Content-Length: {len(jpeg) if length == -1 else length}{ending}" if length is not None else ""
        body += f"{mark}{ending}Content-Type: image/jpeg{ending}{said}{ending}".encode() + jpeg + ending.encode()
    return body + mark.encode()


@pytest.mark.parametrize(
    ("boundary", "body"),
    [
        ("frame", parts()),
        ("frame", parts(length=None)),  # No lengths.
        ("--frame", parts()),  # The dashes announced as part of the mark, and not doubled.
        ("--frame", parts("----frame")),  # And doubled.
        ("frame", parts("frame", length=None)),  # Sent without any.
        ("frame", parts(ending="\n")),
        ("frame", parts(length=7)),  # Too short a length.
        ("frame", parts(length=100_000)),  # Too long a one: the next part tells.
        ("frame", b"\r\n\r\n" + parts()),
        ("frame", b"\x00" * 1_000 + parts()),
        ("", parts("--anything", length=None)),
        ("", b"".join(PICTURES) + b"--"),  # One after the other, with nothing between.
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1_000, 10**6])
def test_every_picture_is_found_in_whatever_pieces_it_comes(boundary: str, body: bytes, piece: int) -> None:
    parser = Parser(boundary)
    found = [jpeg for at in range(0, len(body), piece) for jpeg in parser.feed(body[at : at + piece])]
    assert found == PICTURES
    assert not parser.is_boundary_wrong


@pytest.mark.parametrize("length", [-1, None])
def test_a_wrong_mark_is_noticed_and_the_pictures_are_found_all_the_same(length: int | None) -> None:
    parser = Parser("frame")
    assert list(parser.feed(parts("--elsewhere", length=length))) == PICTURES
    assert parser.is_boundary_wrong


@pytest.mark.parametrize("length", [-1, None])
def test_half_a_picture_is_left_out_and_counted(length: int | None) -> None:
    whole = parts(length=length)
    at = whole.index(PICTURES[1]) + len(PICTURES[1]) // 2
    after = whole.index(PICTURES[1]) + len(PICTURES[1])
    parser = Parser("frame")
    assert list(parser.feed(whole[:at] + whole[after:])) == [PICTURES[0], PICTURES[2], PICTURES[3]]
    assert parser.halves == 1
    assert not parser.has_half


def test_half_a_picture_and_then_nothing_is_seen_as_such() -> None:
    parser = Parser("frame")
    body = parts()
    assert list(parser.feed(body[: body.index(PICTURES[3]) + 100])) == PICTURES[:3]
    assert parser.has_half


def test_what_holds_no_picture_is_hopeless_and_takes_no_memory() -> None:
    parser = Parser("frame")
    for _piece in range(300):
        assert list(parser.feed(b"x" * 65_536)) == []
    assert parser.is_hopeless
    assert parser.is_boundary_wrong
    assert len(parser._buffer) <= 200_000


def test_a_picture_without_an_end_takes_no_memory() -> None:
    parser = Parser("frame")
    list(parser.feed(PICTURES[0][:-2]))
    for _piece in range(300):
        list(parser.feed(b"x" * 65_536))
        assert len(parser._buffer) <= 17_000_000
    assert parser.halves == 1


def test_damage_anywhere_costs_no_more_than_the_pictures_it_touches() -> None:
    draw = random.Random(1)
    body = b"".join(parts() + b"\r\n" for _round in range(5))
    for _attempt in range(200):
        damaged = bytearray(body)
        at = draw.randrange(len(body))
        del damaged[at : at + draw.choice([1, 10, 500])]
        parser = Parser("frame")
        found = [
            jpeg for piece in range(0, len(damaged), 900) for jpeg in parser.feed(bytes(damaged[piece : piece + 900]))
        ]
        assert sum(jpeg in PICTURES for jpeg in found) >= 17


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", "frame"),
        ('multipart/x-mixed-replace;boundary="a b"; x=y', "a b"),
        ("multipart/x-mixed-replace; Boundary = --my-mark ; a=b", "--my-mark"),
        ("multipart/x-mixed-replace", ""),
        ("multipart/x-mixed-replace; boundary=", ""),
    ],
)
def test_the_announced_mark_is_read(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary
