"""Ranged answers: what RFC 9110 says of each kind of range, and what happens while a file changes under a reader."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from recordings import ranges
from recordings.parts import Piece
from recordings.ranges import Chunks, Content, respond

BODY = bytes(range(256)) * 1_000
SIZE = len(BODY)
CHANGED = datetime(2026, 3, 4, 12, 0, 0, 500_000, tzinfo=UTC)
ETAG = '"abc"'
pytestmark = pytest.mark.django_db  # Closing a response looks after the database's connection, where one is open.


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """Two files, of which the second is cut: they are served as one."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(BODY[:1_000])
    second.write_bytes(b"header" + BODY[1_000:])
    pieces = [Piece(first, 0, 1_000), Piece(second, 6, SIZE - 1_000)]
    return Content(pieces, "video/mp4", ETAG, CHANGED)


def ask(content: Content, *, method: str = "get", **headers: str) -> Any:
    request = getattr(RequestFactory(), method)(
        "/", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    return respond(request, content)


def body_of(response: Any) -> bytes:
    body = b"".join(response) if response.streaming else response.content
    response.close()
    assert isinstance(body, bytes)
    return body


def test_without_a_range_everything_is_sent(content: Content) -> None:
    response = ask(content)
    assert (response.status_code, body_of(response)) == (200, BODY)
    assert response["Content-Length"] == str(SIZE)
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == ETAG
    assert response["Last-Modified"] == "Wed, 04 Mar 2026 12:00:00 GMT"
    assert {"private", "must-revalidate"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=998-1001", 998, 1_002),  # Over the seam.
        ("bytes=1000-", 1_000, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=-{SIZE + 100}", 0, SIZE),
        (f"bytes=10-{SIZE + 100}", 10, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes = 5-7", 5, 8),
        (f"bytes=5-7,{SIZE}-", 5, 8),  # Of several only one can be given.
        ("bytes=5-7,-0", 5, 8),
    ],
)
def test_one_range_is_sent_alone(content: Content, asked: str, start: int, stop: int) -> None:
    response = ask(content, range=asked)
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert response["Content-Length"] == str(stop - start)
    assert response["Content-Type"] == "video/mp4"
    assert body_of(response) == BODY[start:stop]


def test_several_ranges_come_in_parts(content: Content) -> None:
    response = ask(content, range="bytes=0-9,900-1099,-10")
    body = body_of(response)
    assert (response.status_code, int(response["Content-Length"])) == (206, len(body))
    message = message_from_bytes(f"Content-Type: {response['Content-Type']}\r\n\r\n".encode() + body)
    parts: Any = message.get_payload()
    found = [(part["Content-Type"], part["Content-Range"], part.get_payload(decode=True)) for part in parts]
    wanted = [(0, 10), (900, 1_100), (SIZE - 10, SIZE)]
    assert found == [("video/mp4", f"bytes {start}-{stop - 1}/{SIZE}", BODY[start:stop]) for start, stop in wanted]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0", f"bytes={SIZE}-,-0"])
def test_what_lies_outside_is_refused_with_the_size(content: Content, asked: str) -> None:
    response = ask(content, range=asked)
    assert (response.status_code, response["Content-Range"], body_of(response)) == (416, f"bytes */{SIZE}", b"")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=9-5",
        "bytes=a-b",
        "bytes=",
        "bytes",
        "lines=0-5",
        "bytes=0-5,3-9",  # They overlap.
        "bytes=" + ",".join(f"{n * 10}-{n * 10 + 1}" for n in range(ranges.MOST_RANGES + 1)),
        "bytes=--5",
        "bytes=0x1-5",
    ],
)
def test_a_range_that_is_none_is_ignored(content: Content, asked: str) -> None:
    response = ask(content, range=asked)
    assert (response.status_code, body_of(response)) == (200, BODY)


@pytest.mark.parametrize(
    ("condition", "is_same"),
    [
        (ETAG, True),
        ('"other"', False),
        (f"W/{ETAG}", False),  # Equal in weight is not byte for byte.
        ("Wed, 04 Mar 2026 12:00:00 GMT", True),
        ("Wed, 04 Mar 2026 11:59:59 GMT", False),
        ("Wed, 04 Mar 2026 12:00:01 GMT", False),
        ("nonsense", False),
    ],
)
def test_if_range_gives_the_part_only_of_the_same_file(content: Content, condition: str, is_same: bool) -> None:
    response = ask(content, range="bytes=0-9", if_range=condition)
    assert (response.status_code, body_of(response)) == ((206, BODY[:10]) if is_same else (200, BODY))


def test_who_has_it_already_is_told_so(content: Content) -> None:
    response = ask(content, if_none_match=ETAG)
    assert (response.status_code, response.content) == (304, b"")
    assert ask(content, if_match='"other"').status_code == 412


def test_head_tells_the_size_and_sends_nothing(content: Content) -> None:
    response = ask(content, method="head", range="bytes=0-9")
    assert (response.status_code, response["Content-Length"], response.content) == (200, str(SIZE), b"")


@pytest.mark.parametrize(
    ("name", "told"),
    [("gate.mp4", 'filename="gate.mp4"'), ("정문.mp4", "filename*=utf-8''%EC%A0%95%EB%AC%B8.mp4")],
)
def test_a_download_has_a_name(content: Content, name: str, told: str) -> None:
    named = Content(content.pieces, content.kind, content.etag, content.modified_at, name)
    assert ask(named)["Content-Disposition"] == f"attachment; {told}"


def test_a_file_that_became_shorter_breaks_off_rather_than_lies(content: Content) -> None:
    chunks = Chunks([*content.pieces])
    chunks.read()
    content.pieces[1].path.write_bytes(b"")
    with pytest.raises(OSError, match="shorter"):
        chunks.read()
    chunks.close()


def test_a_file_that_is_removed_meanwhile_is_read_to_its_end(content: Content) -> None:
    chunks = Chunks([content.pieces[1]])
    read = chunks.read()
    content.pieces[1].path.unlink()
    assert read + b"".join(chunks) == BODY[1_000:]


async def test_the_servers_own_thread_reads_nothing(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    read = Chunks.read

    def watched(self: Chunks) -> bytes:
        try:
            asyncio.get_running_loop()
            threads.add("loop")
        except RuntimeError:
            threads.add("other")
        return read(self)

    monkeypatch.setattr(Chunks, "read", watched)
    response = ask(content, range="bytes=0-99999")
    assert b"".join([chunk async for chunk in response]) == BODY[:100_000]
    assert threads == {"other"}
