"""What is read over HTTP, and how each fault is told apart: by real servers, through the very client of the reader."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trustme

from cameras.pull import web
from cameras.pull.source import Connected, Control, Fault, Item, Picture, Settings
from tests.cameras.pull.server import Camera, Connection, Handler, camera
from tests.fakes import numbered_picture

PICTURES = [numbered_picture(number) for number in range(4)]


def settings_for(source: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {"allow": ("127.0.0.1", "localhost"), "silent_s": 0.4, "connect_s": 0.5, "fps": 1e6}
    return Settings(1, source, **{**values, **changes})


def items_of(source: str, **changes: Any) -> Iterator[Item]:
    settings = settings_for(source, **changes)
    return web.read(settings, Control(settings.fps))


def fault_of(source: str, **changes: Any) -> Fault:
    """What ends the reading, whatever came before."""
    began_at = time.monotonic()
    with pytest.raises(Fault) as raised:
        list(items_of(source, **changes))
    assert time.monotonic() - began_at < 5
    return raised.value


def pictures_of(server: Camera, path: str = "/", count: int = 3, **changes: Any) -> list[bytes]:
    pictures = (item.jpeg for item in items_of(server.url(path), **changes) if isinstance(item, Picture))
    return list(islice(pictures, count))


# --- What works ---


def test_mjpeg_is_read() -> None:
    with camera(lambda it: it.play(PICTURES, fps=100)) as server:
        assert pictures_of(server, count=6) == [*PICTURES, *PICTURES[:2]]


def test_single_pictures_are_asked_for_at_the_rate_wanted() -> None:
    numbers = iter(range(100))
    with camera(lambda it: it.answer("200 OK", PICTURES[next(numbers) % 4], Content_Type="image/jpeg")) as server:
        began_at = time.monotonic()
        assert pictures_of(server, "/shot.jpg", 5, fps=10) == [*PICTURES, PICTURES[0]]
        assert 0.35 <= time.monotonic() - began_at < 1.5


def test_what_has_no_type_is_known_by_its_name() -> None:
    with camera(lambda it: it.answer("200 OK", PICTURES[0])) as server:
        assert pictures_of(server, "/shot.JPG?size=1", 2) == [PICTURES[0]] * 2


def test_a_fast_source_is_thinned_to_the_rate_wanted() -> None:
    def limited(it: Connection) -> None:
        it.stream()
        for number in range(60):
            it.part(PICTURES[number % 4], length=len(PICTURES[number % 4]))
            time.sleep(0.01)

    with camera(limited) as server:
        found: list[Item] = []
        with pytest.raises(Fault):
            found.extend(iter_into(found, items_of(server.url(), fps=10)))
        assert 4 <= sum(isinstance(item, Picture) for item in found) <= 10


def iter_into(found: list[Item], items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        found.append(item)
    return iter(())


def test_a_source_of_the_very_rate_wanted_loses_nothing_to_its_jitter() -> None:
    control = Control(5)
    times = [0.2 * number + jitter for number, jitter in enumerate([0, 0.04, -0.04, 0.05, -0.03, 0.02, -0.05, 0.0])]
    assert all(control.is_due(at) for at in times)


def test_a_thinned_source_keeps_its_mean_rate() -> None:
    control = Control(5)
    assert sum(control.is_due(number / 25) for number in range(250)) in (50, 51)
    control = Control(4)
    assert 38 <= sum(control.is_due(number / 15) for number in range(150)) <= 42


def test_another_mark_than_announced_is_said_and_survived() -> None:
    def wrong(it: Connection) -> None:
        it.stream("announced")
        for number in range(50):
            it.part(PICTURES[number % 4], "--another")

    with camera(wrong) as server:
        found: list[Item] = []
        with pytest.raises(Fault):
            iter_into(found, items_of(server.url()))
        assert Connected("announced 'announced'", code="wrong_boundary") in found
        assert sum(isinstance(item, Picture) for item in found) == 50


def test_a_change_of_size_is_no_fault() -> None:
    larger = numbered_picture(1, (640, 480))
    with camera(lambda it: it.play([PICTURES[0], larger], fps=100)) as server:
        assert pictures_of(server, count=4) == [PICTURES[0], larger] * 2


# --- What is wrong ---


def half(it: Connection) -> None:
    it.stream()
    it.part(PICTURES[0], length=len(PICTURES[0]))
    it.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[1][:1_000])
    it.be_silent()


def only_halves(it: Connection) -> None:
    it.stream()
    while not it.stopping.wait(0.05):
        it.part(PICTURES[0][:1_000])


def garbage(it: Connection) -> None:
    it.stream()
    for _piece in range(1_000):
        it.send(b"no picture at all" * 5_000)


def redirect_loop(it: Connection) -> None:
    it.answer("302 Found", Location="/again" + it.path)


def dribble(it: Connection) -> None:
    it.stream()
    while not it.stopping.wait(0.05):
        it.send(b"x")


@pytest.mark.parametrize(
    ("handler", "code", "detail"),
    [
        (lambda it: it.be_silent(), "silent", ""),
        (lambda it: (it.stream(), it.be_silent()), "silent", ""),
        (half, "silent", "half a picture"),
        (only_halves, "not_a_picture", "half a picture"),
        (dribble, "silent", "no picture for 0.4 s"),
        (garbage, "wrong_boundary", "no JPEG"),
        (lambda it: it.answer("404 Not Found"), "not_found", "HTTP 404 Not Found"),
        (lambda it: it.answer("401 Unauthorized"), "unauthorized", "HTTP 401 Unauthorized"),
        (lambda it: it.answer("403 Forbidden"), "unauthorized", "HTTP 403 Forbidden"),
        (lambda it: it.answer("503 Service Unavailable"), "http_error", "HTTP 503 Service Unavailable"),
        (redirect_loop, "redirect_loop", "more than 5 redirects"),
        (lambda it: it.answer("200 OK", b"<html>", Content_Type="text/html"), "unsupported", "text/html"),
        (
            lambda it: it.answer("200 OK", b"#EXTM3U", Content_Type="application/vnd.apple.mpegurl"),
            "unsupported",
            "HLS",
        ),
        (
            lambda it: it.answer("200 OK", PICTURES[0][:500], Content_Type="image/jpeg"),
            "not_a_picture",
            "half a picture",
        ),
        (lambda it: it.answer("200 OK", b"GIF89a", Content_Type="image/jpeg"), "not_a_picture", "no JPEG"),
        (lambda it: it.send(b"RTSP/1.0 200 OK\r\n\r\n"), "http_error", "no HTTP"),
        (lambda it: None, "ended", ""),
        (lambda it: (it.stream(), it.part(PICTURES[0])), "ended", ""),
    ],
)
def test_each_fault_is_told_apart(handler: Handler, code: str, detail: str) -> None:
    with camera(handler) as server:
        fault = fault_of(server.url())
    assert (fault.code, fault.detail) == (code, detail)


def test_a_flood_is_read_without_growing(tmp_path: Path) -> None:
    """12.5 MB a second and more: what is not due is thrown away as it comes."""

    def flood(it: Connection) -> None:
        it.stream()
        part = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + PICTURES[0] + b"\r\n"
        for _times in range(400):
            it.send(part * 20)

    with camera(flood) as server:
        began_at = time.monotonic()
        found: list[Item] = []
        with pytest.raises(Fault):
            iter_into(found, items_of(server.url(), fps=5))
        took_s = time.monotonic() - began_at
    assert len(PICTURES[0]) * 8_000 / took_s > 12_500_000
    assert sum(isinstance(item, Picture) for item in found) <= 5 * took_s + 2


def test_nobody_listening_is_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert fault_of(f"http://127.0.0.1:{port}/").code == "refused"


def test_an_unknown_name_is_a_fault_of_dns() -> None:
    fault = fault_of("http://no-such-camera.invalid/")
    assert fault.code == "dns"
    assert "no-such-camera.invalid" in fault.detail


def test_a_host_that_does_not_answer_is_told_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        held = [socket.socket() for _each in range(4)]
        for each in held:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        assert fault_of(f"http://127.0.0.1:{port}/").code == "timeout"
        for each in held:
            each.close()


# --- Addresses ---


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433:1/",
        "http://0.0.0.0:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
    ],
)
def test_what_only_this_machine_can_reach_is_refused(source: str) -> None:
    assert fault_of(source, allow=()).code == "address_not_allowed"


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/", "http://127.0.0.2:80/", "//[::1]/", "file:///etc/passwd", "gopher://127.0.0.1/"],
)
def test_a_redirect_is_checked_like_the_first_address(location: str) -> None:
    with camera(lambda it: it.answer("302 Found", Location=location)) as server:
        assert fault_of(server.url()).code == "address_not_allowed"


def test_a_redirect_to_what_is_allowed_is_followed() -> None:
    with camera(lambda it: it.play(PICTURES, fps=100)) as target:
        with camera(lambda it: it.answer("302 Found", Location=target.url("/live"))) as server:
            assert pictures_of(server, count=1) == PICTURES[:1]
        assert target.requests[0].startswith(b"GET /live ")


def test_the_checked_address_is_used_and_the_name_kept_for_the_server() -> None:
    with camera(lambda it: it.play(PICTURES, fps=100)) as server:
        list(islice(items_of(f"http://localhost:{server.port}/"), 2))
        assert f"Host: localhost:{server.port}".encode() in server.requests[0]


# --- Passwords ---


def basic(it: Connection) -> None:
    if it.header("authorization") == "Basic " + base64.b64encode(b"user:p@ss word").decode():
        it.play(PICTURES, fps=100)
    else:
        it.answer("401 Unauthorized", WWW_Authenticate='Basic realm="camera"')


def digest(it: Connection) -> None:
    if re.match(r'Digest username="user", realm="camera"', it.header("authorization")):
        it.play(PICTURES, fps=100)
    else:
        it.answer("401 Unauthorized", WWW_Authenticate='Digest realm="camera", nonce="abc", qop="auth"')


@pytest.mark.parametrize("handler", [basic, digest])
def test_the_password_in_the_address_is_used(handler: Handler) -> None:
    with camera(handler) as server:
        source = server.url(user="user:p%40ss%20word@")
        pictures = [item for item in islice(items_of(source), 2) if isinstance(item, Picture)]
        assert pictures[0].jpeg == PICTURES[0]


def test_a_wrong_password_is_said_without_repeating_it() -> None:
    with camera(basic) as server:
        fault = fault_of(server.url(user="user:hunter2@"))
    assert fault.code == "unauthorized"
    assert "hunter2" not in str(fault)


def test_the_password_goes_to_no_other_host_and_port() -> None:
    def other(it: Connection) -> None:
        it.answer("401 Unauthorized", WWW_Authenticate='Basic realm="elsewhere"')

    with camera(other) as elsewhere:
        with camera(lambda it: it.answer("302 Found", Location=elsewhere.url("/x", user="a:b@"))) as server:
            assert fault_of(server.url(user="user:hunter2@")).code == "unauthorized"
        assert elsewhere.requests
        assert not any(b"uthorization" in request for request in elsewhere.requests)


# --- Certificates ---


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused_and_an_own_authority_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with camera(lambda it: it.play(PICTURES, fps=100), tls=tls(authority, "127.0.0.1")) as server:
        fault = fault_of(server.url())
        assert fault.code == "certificate"
        assert "self-signed certificate" in fault.detail or "unable to get" in fault.detail
        assert pictures_of(server, count=1, ca=str(tmp_path / "ca.pem")) == PICTURES[:1]


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with camera(lambda it: it.play(PICTURES, fps=100), tls=tls(authority, "elsewhere.example")) as server:
        assert fault_of(server.url(), ca=str(tmp_path / "ca.pem")).code == "certificate"
