from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from omil import authority
from omil.trust import CERTIFICATE_PATH, TrustPage


@pytest.fixture
def root(tmp_path: Path) -> x509.Certificate:
    return authority.local(tmp_path, hosts=["gate.local"], now=datetime.now(UTC)).root()


class Response:
    """What the page answered to one request."""

    def __init__(self, sent: list[MutableMapping[str, Any]]) -> None:
        start, body = sent
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = body["body"]
        self.text = self.body.decode()


async def request(page: TrustPage, path: str, method: str = "GET", language: str = "") -> Response:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("the page reads no body")

    named = [(b"accept-language", language.encode())] if language else []
    await page({"type": "http", "method": method, "path": path, "headers": named}, receive, send)
    return Response(sent)


@pytest.fixture
def page(root: x509.Certificate) -> TrustPage:
    return TrustPage(root)


async def test_it_hands_out_the_authoritys_certificate(page: TrustPage, root: x509.Certificate) -> None:
    response = await request(page, CERTIFICATE_PATH)
    assert response.status == 200
    assert response.headers["content-type"] == "application/x-x509-ca-cert"
    assert x509.load_pem_x509_certificate(response.body) == root
    assert b"PRIVATE KEY" not in response.body


async def test_it_shows_the_fingerprint_and_how_to_install_on_every_kind_of_device(
    page: TrustPage, root: x509.Certificate
) -> None:
    text = (await request(page, "/")).text
    assert authority.fingerprint(root) in text
    assert f'href="{CERTIFICATE_PATH}"' in text
    for device in ("Windows", "macOS", "iPhone", "Android", "Linux", "Firefox"):
        assert device in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de-DE,de;q=0.9", "en"),
        ("en-GB,ko;q=0.5", "en"),
        ("fr, ko;q=0.7, en;q=0.3", "ko"),
        ("*", "en"),
        ("\x00;q=x,,;;", "en"),
    ],
)
async def test_it_speaks_the_readers_language(page: TrustPage, accepted: str, language: str) -> None:
    assert f'<html lang="{language}">' in (await request(page, "/", language=accepted)).text


async def test_each_language_has_an_address_of_its_own(page: TrustPage) -> None:
    for language in ("en", "ko"):
        response = await request(page, f"/{language}", language="en")
        assert f'<html lang="{language}">' in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/login/",
        "/admin/",
        "/ws/live/",
        "/favicon.ico",
        "/authority.key",
        "//",
        "/ko/",
        "",
        "/../",
        "/omil-authority.crt/",
    ],
)
async def test_every_other_path_is_not_found(page: TrustPage, path: str) -> None:
    response = await request(page, path)
    assert (response.status, response.body) == (404, b"Not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
async def test_it_only_reads(page: TrustPage, method: str) -> None:
    response = await request(page, "/", method)
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


async def test_head_has_the_headers_and_no_body(page: TrustPage) -> None:
    head, get = await request(page, "/", "HEAD"), await request(page, "/")
    assert head.body == b""
    assert head.headers == get.headers
    assert int(get.headers["content-length"]) == len(get.body)


@pytest.mark.parametrize("path", ["/", CERTIFICATE_PATH, "/nowhere"])
async def test_every_answer_carries_security_headers(page: TrustPage, path: str) -> None:
    headers = (await request(page, path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "set-cookie" not in headers


async def test_the_policy_lets_in_its_own_style_and_nothing_else(page: TrustPage) -> None:
    response = await request(page, "/ko")
    style = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert len(style) == 1
    assert "<script" not in response.text
    assert "style=" not in response.text


async def test_a_socket_is_refused(page: TrustPage) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    await page({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close"}]
