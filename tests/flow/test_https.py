"""Must hold j: over HTTPS under a name of the network, with the authority truly trusted, a browser becomes a camera."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Error, Playwright, expect, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.product import ADMIN_PASSWORD, Product, free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HOST = "gate-server.test"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    env = {
        "OMIL_HOSTS": HOST,
        "OMIL_TRUST_PORT": str(free_port()),
        "OMIL_WEIGHTS_URL": "http://127.0.0.1:9",  # Nobody: what is tested here needs no weights.
    }
    with Product(tmp_path_factory.mktemp("https"), models=None, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def launch(playwright: Playwright, home: Path) -> Browser:
    """A Chromium with a home of its own, whose certificates are those of that home."""
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=ARGUMENTS, env={**os.environ, "HOME": str(home)}, timeout=60_000
    )


@pytest.fixture(scope="module")
def certificate(product: Product) -> str:
    """The authority's certificate as a device gets it: from the plain page."""
    return httpx.get(f"http://127.0.0.1:{product.env['OMIL_TRUST_PORT']}/omil-authority.crt").raise_for_status().text


def test_a_browser_that_does_not_trust_the_authority_is_warned(
    product: Product, playwright: Playwright, tmp_path: Path
) -> None:
    browser = launch(playwright, tmp_path)
    try:
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            browser.new_page().goto(f"https://{HOST}:{product.port}/login/")
    finally:
        browser.close()


def trust(home: Path, certificate: str) -> None:
    """What the trust page tells people to do, done to the certificate store of this home."""
    store, file = home / ".pki" / "nssdb", home / "omil-authority.crt"
    store.mkdir(parents=True)
    file.write_text(certificate)
    for arguments in (["-N", "--empty-password"], ["-A", "-n", "Omil", "-t", "C,,", "-a", "-i", str(file)]):
        subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, timeout=30)


def test_a_trusting_browser_enrols_captures_and_is_seen_on_the_dashboard(
    product: Product, playwright: Playwright, certificate: str, tmp_path: Path
) -> None:
    trust(tmp_path, certificate)
    camera = product.add_camera("North gate")
    assert camera["enrolment_url"].startswith(f"https://{HOST}:{product.port}/enrol/")
    browser = launch(playwright, tmp_path)
    try:
        guard_post = browser.new_context(locale="en-GB")
        page = guard_post.new_page()
        page.goto(camera["enrolment_url"])
        page.get_by_role("button", name="Enrol this browser").click()
        page.wait_for_url(f"https://{HOST}:{product.port}/capture/{camera['slug']}/")
        acked = re.compile(r"^([5-9]|\d\d+)$")
        expect(page.locator("[data-capture]")).to_have_attribute("data-acked", acked, timeout=60_000)
        assert page.evaluate("isSecureContext")
        cookies = guard_post.cookies()
        assert cookies
        assert all(cookie["secure"] for cookie in cookies if cookie["name"].startswith("omil_"))

        operators = browser.new_context(locale="en-GB")
        dashboard = operators.new_page()
        dashboard.goto(f"https://{HOST}:{product.port}/")
        dashboard.locator("[name=username]").fill("admin")
        dashboard.locator("[name=password]").fill(ADMIN_PASSWORD)
        dashboard.get_by_role("button", name="Log in").click()
        tile = dashboard.locator(f"[data-tile][data-camera='{camera['slug']}']")
        expect(tile).to_have_attribute("data-pictured", "true", timeout=30_000)
        expect(tile).not_to_have_attribute("data-status", "silent")
    finally:
        browser.close()


def test_plain_http_serves_nothing_on_the_sites_port(product: Product) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{product.port}/login/")


def test_a_socket_from_another_site_is_refused(product: Product, certificate: str) -> None:
    trusting = ssl.create_default_context(cadata=certificate)
    for path in ("/ws/capture/north-gate/", "/ws/live/"):
        line = socket.create_connection(("127.0.0.1", product.port))
        address, elsewhere = f"wss://{HOST}:{product.port}{path}", Origin("https://elsewhere.test")
        with connect(address, sock=line, ssl=trusting, origin=elsewhere) as client:
            assert json.loads(client.recv(10))["code"] == "wrong_origin"
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


def test_the_start_says_where_devices_get_the_certificate(product: Product) -> None:
    assert f"http://{HOST}:{product.env['OMIL_TRUST_PORT']}/" in product.output
    assert f"Omil 0.1.0 serves https://{HOST}:{product.port}/" in product.output
