"""RTSP from GStreamer's server, in real time: pictures, packets, outages, and the exact words for what is wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import trustme

from cameras import images, packets
from cameras.packet_ring import PacketRing
from cameras.pull import process, rtsp, wire
from cameras.pull.source import Connected, Control, Fault, Item, Packets
from cameras.pull.wire import Kind
from tests.cameras.pull import streams
from tests.cameras.pull.rtsp_server import Answer, misbehaving, pictures, read, saying, settings, silence
from tests.cameras.pull.streams import launch, serving

WHITE = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    small = streams.encode(folder / "small.ts", *streams.pattern(), seconds=3, group=25)
    large = streams.encode(folder / "large.ts", *streams.pattern("640x480"), seconds=12, group=25, from_s=3)
    changing = folder / "changing.ts"
    changing.write_bytes(small.read_bytes() + large.read_bytes())
    return {
        "h264": streams.encode(folder / "h264.mp4", *streams.pattern(), seconds=60, group=25, reordered=2),
        "h265": streams.encode(folder / "h265.mp4", *streams.pattern(fps=10), seconds=60, codec="h265", group=10),
        "changing": changing,
    }


@pytest.mark.parametrize(
    ("codec", "name", "words"), [("h264", "h264", "H.264 320×240"), ("h265", "hevc", "H.265 320×240")]
)
def test_pictures_come_at_the_wanted_rate_and_packets_as_they_were_sent(
    films: dict[str, Path], codec: str, name: str, words: str
) -> None:
    with serving(launch(films[codec], codec)) as server:
        began = time.time()
        items = read(server.url(), 4)
    assert items[0] == Connected(words)
    shown = pictures(items)
    assert len(shown) == pytest.approx(21, abs=3)
    assert {images.size_of(picture.jpeg) for picture in shown} == {(320, 240)}
    times = [picture.captured_at for picture in shown]
    assert all(0.1 < later - earlier < 0.35 for earlier, later in pairwise(times))
    assert began - 1 < times[0] < times[-1] <= time.time()
    groups = [packets.unpack(item.body) for item in items if isinstance(item, Packets)]
    assert {(form.codec, form.width, form.height) for form, _ in groups} == {(name, 320, 240)}
    assert all(found[0].is_key for _, found in groups)
    sent = sum(len(found) for _, found in groups)
    assert sent >= {"h264": 50, "h265": 20}[codec]


def test_a_mask_is_burnt_in_before_anything_leaves(films: dict[str, Path]) -> None:
    with serving(launch(films["h264"])) as server:
        items = read(server.url(), 0.5, masks=(WHITE,))
    assert pictures(items)
    for picture in pictures(items):
        assert picture.is_made
        assert images.decode_bgr(picture.jpeg)[:, 164:].max() < 12
        assert images.decode_bgr(picture.jpeg)[:, :150].max() > 150
    assert not [item for item in items if isinstance(item, Packets)]


def test_the_size_may_change_in_the_middle(films: dict[str, Path]) -> None:
    with serving(launch(films["changing"])) as server:
        items = read(server.url(), 4.5)
    assert {images.size_of(picture.jpeg) for picture in pictures(items)} == {(320, 240), (640, 480)}
    forms = [packets.unpack(item.body)[0] for item in items if isinstance(item, Packets)]
    assert {(form.width, form.height) for form in forms} == {(320, 240), (640, 480)}
    assert len({form.id for form in forms}) == 2


def test_a_server_that_is_killed_ends_the_connection_and_is_found_again_with_another_codec(
    films: dict[str, Path],
) -> None:
    with serving(launch(films["h264"])) as server:
        control = Control(5.0)
        found: list[Item] = []
        killed_at = 0.0
        with pytest.raises(Fault) as fault:
            for item in rtsp.read(settings(server.url()), control):
                found.append(item)
                if len(pictures(found)) == 8 and not killed_at:
                    killed_at = time.monotonic()
                    server.kill()
        assert fault.value.code in ("ended", "silent")
        assert time.monotonic() - killed_at < 3
        assert isinstance(found[-1], Packets)  # What had been sent of the last group is not lost.
        with pytest.raises(Fault) as refused:
            read(server.url(), 1)
        assert refused.value.code == "refused"
        server.start(launch(films["h265"], "h265"))
        again = read(server.url(), 1)
    assert again[0] == Connected("H.265 320×240")
    assert pictures(again)


def test_a_password_is_needed_and_never_told(films: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    with serving(launch(films["h264"]), user="watch", password="secret-7x") as server:
        assert pictures(read(server.url("watch:secret-7x@"), 0.3))
        for wrong in ("", "watch:secret-8y@"):
            with pytest.raises(Fault) as fault:
                read(server.url(wrong), 1)
            assert fault.value.code == "unauthorized"
            assert "secret" not in str(fault.value)
        with pytest.raises(Fault) as fault:
            read(server.url("watch:secret-7x@").replace("/cam", "/other"), 1)
        assert fault.value.code == "not_found"
    assert "secret" not in "".join(capfd.readouterr())


async def test_the_reader_keeps_packets_coming_through_an_outage(films: dict[str, Path], tmp_path: Path) -> None:
    """The reader as ingest runs it, a process without Django: its packets are kept, and it comes back by itself."""
    ring = PacketRing(tmp_path / "1", max_bytes=10**8)
    with serving(launch(films["h264"])) as server:
        async with asyncio.timeout(40), process.started(settings(server.url())) as reader:
            first = await collect(reader, ring)
            server.kill()
            while (message := await reader.next(10)).kind is not Kind.STATE:
                pass
            assert wire.unpack_state(message.body).state == "failed"
            server.start()
            began = time.monotonic()
            second = await collect(reader, ring)
            assert time.monotonic() - began < 15
    names = packets.names_in(ring.folder)
    assert len(names) == first + second
    assert names[-1].first_us > names[0].last_us
    form, found = packets.unpack((ring.folder / str(names[0])).read_bytes())
    assert (form.codec, found[0].is_key) == ("h264", True)


async def collect(reader: process.ReaderProcess, ring: PacketRing) -> int:
    """Until pictures and three groups have come; how many groups those were."""
    pictured = kept = 0
    while pictured < 5 or kept < 3:
        message = await reader.next(10)
        pictured += message.kind is Kind.MADE
        if message.kind is Kind.PACKETS:
            assert ring.put(message.body)
            kept += 1
    return kept


# --- Servers that misbehave ---


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (saying("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'), "unauthorized"),
        (saying("403 Forbidden"), "unauthorized"),
        (saying("404 Not Found"), "not_found"),
        (saying("500 Internal Server Error"), "http_error"),
        (saying("453 Not Enough Bandwidth"), "http_error"),
        (saying("200 OK"), "unsupported"),  # Nothing is described.
        (silence, "silent"),
        (lambda connection: connection.close(), "ended"),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unsupported"),
        (lambda connection: connection.sendall(b"\0" * 100_000), "unsupported"),
    ],
    ids=["401", "403", "404", "500", "453", "empty", "silent", "closed", "http", "noise"],
)
def test_it_says_exactly_what_is_wrong(answer: Answer, code: str) -> None:
    with misbehaving(answer) as url, pytest.raises(Fault) as fault:
        read(url, 1, connect_s=1.0, silent_s=1.0)
    assert fault.value.code == code
    assert "hunter2" not in str(fault.value)


def test_redirections_are_followed_but_not_for_ever_and_nowhere_forbidden(films: dict[str, Path]) -> None:
    with serving(launch(films["h264"])) as server, misbehaving(saying("302 Found", f"Location: {server.url()}")) as url:
        assert pictures(read(url, 0.2))
    with misbehaving(saying("302 Found", "Location: rtsp://169.254.169.254/latest")) as url:
        with pytest.raises(Fault) as fault:
            read(url, 1)
        assert fault.value.code == "address_not_allowed"
    with misbehaving(saying("302 Found", "Location: /cam")) as url:
        with pytest.raises(Fault) as fault:
            read(url, 1)
        assert fault.value.code == "redirect_loop"
    with misbehaving(saying("302 Found", "Location: file:///etc/passwd")) as url:
        with pytest.raises(Fault) as fault:
            read(url, 1)
        assert fault.value.code == "unsupported"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def secured(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            saying("404 Not Found")(secure)

    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with misbehaving(secured) as url:
        url = url.replace("rtsp:", "rtsps:")
        with pytest.raises(Fault) as fault:
            read(url, 1)
        assert fault.value.code == "certificate"
        with pytest.raises(Fault) as fault:
            read(url, 1, ca=str(trusted))
        assert fault.value.code == "not_found"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("rtsp://127.0.0.1:9/cam", "refused"),
        ("rtsp://nowhere.invalid/cam", "dns"),
        ("rtsp://169.254.169.254/cam", "address_not_allowed"),
        ("rtsp://[::1]/cam", "address_not_allowed"),
    ],
)
def test_addresses_are_checked_first(url: str, code: str) -> None:
    with pytest.raises(Fault) as fault:
        read(url, 1)
    assert fault.value.code == code


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_reconnecting_leaves_nothing_open(films: dict[str, Path], request: pytest.FixtureRequest) -> None:
    """A hundred times in `make soak`."""
    process = psutil.Process()
    rounds = 50 if request.config.getoption("run_soak") else 3
    with serving(launch(films["h264"])) as server:
        assert pictures(read(server.url(), 0))
        before = process.num_fds(), process.num_threads()
        for _ in range(rounds):
            assert pictures(read(server.url(), 0))
            with misbehaving(saying("404 Not Found")) as url, pytest.raises(Fault):
                read(url, 1)
        time.sleep(0.2)
        assert process.num_fds() <= before[0] + 1
        assert process.num_threads() <= before[1] + 1
