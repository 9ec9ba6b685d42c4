"""A real Chromium: with the site's script modules alone, or with whole pages whose sockets are in the test's hand."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, Page, Route, sync_playwright

from accounts.models import User
from cameras import frames, images
from cameras.models import Camera

STATIC = Path(__file__).parents[2] / "static"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
Run = Callable[..., Any]
VisitPage = Callable[..., "Live"]
ORIGIN, SECURE = "http://omil.test", "http://localhost"
NOW = 1_790_000_000.0
SOCKET = """
window.sockets = [];
window.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor(url) { super(); this.url = url; sockets.push(this); }
  send(data) { this.sent.push(typeof data === "string" ? JSON.parse(data) : data); }
  close() {}
  open() { this.dispatchEvent(new Event("open")); }
  hear(data) { this.dispatchEvent(new MessageEvent("message", { data })); }
  drop(code) { this.dispatchEvent(new CloseEvent("close", { code })); }
};
"""


class _Handler(SimpleHTTPRequestHandler):
    """Serves static/ in silence; the start page is empty but for texts."""

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        body = (
            b'<!doctype html><html lang="en"><meta charset="utf-8"><template data-texts>'
            b'<span data-text="hello">Hello {name}</span><span data-text="n.one">{count} person</span>'
            b'<span data-text="n.other">{count} people</span></template></html>'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One for all tests of this folder; it ends with them, for Playwright keeps an event loop in this thread."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium on this machine (Debian's package is called chromium).")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Because of that loop Django would refuse its database.
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(STATIC))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def run(chromium: Browser, site: str) -> Iterator[Run]:
    """Runs the body of an asynchronous function in a fresh page; `load(name)` imports a module of static/js."""
    page = chromium.new_page()
    page.goto(site + "/")

    def run_in_page(body: str, argument: Any = None) -> Any:
        prologue = "const load = (name) => import(`/js/${name}.js`);"
        return page.evaluate(f"async (argument) => {{ {prologue} {body} }}", argument)

    yield run_in_page
    page.close()


class Live:
    """A page whose live socket is in the test's hand."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)

    def open(self) -> None:
        self.page.evaluate("sockets.at(-1).open()")

    def say(self, message: dict[str, Any]) -> None:
        self.page.evaluate("text => sockets.at(-1).hear(text)", json.dumps(message))

    def show(self, seq: int, camera: str = "gate-x") -> None:
        """Sends a picture and waits for its acknowledgement."""
        jpeg = images.encode_jpeg(np.full((90, 160, 3), 128, np.uint8))
        message = bytes([len(camera)]) + camera.encode() + frames.header(seq, NOW) + jpeg
        self.page.evaluate("bytes => sockets.at(-1).hear(new Uint8Array(bytes).buffer)", list(message))
        self.page.wait_for_function("seq => sockets.at(-1).sent.some((each) => each.seq === seq)", arg=seq)

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("sockets.at(-1).sent")
        return found

    def tile(self, name: str) -> str:
        value: str = self.page.locator("[data-tile]").first.evaluate("(tile, name) => tile.dataset[name]", name)
        return value


@pytest.fixture
def visit_page(chromium: Browser, client: Client, bob: User, camera_x: Camera) -> Iterator[VisitPage]:
    """Opens an address of the site as bob; pages that a script leads to from there are named too."""
    client.force_login(bob)
    page = chromium.new_page()
    page.add_init_script(SOCKET)
    # Rendered beforehand: Playwright calls a route's handler in a context that has another database connection.
    rendered: dict[str, dict[str, Any]] = {}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            route.fulfill(path=str(finders.find(path.removeprefix("/static/"))))
        elif path in rendered:
            route.fulfill(**rendered[path])
        else:
            route.fulfill(status=404)

    page.route("**/*", answer)

    def go(*addresses: str, origin: str = ORIGIN) -> Live:
        for address in addresses:
            response = client.get(address)
            headers = {name: response[name] for name in ("Content-Type", "Content-Security-Policy")}
            rendered[urlsplit(address).path] = {"body": response.content, "headers": headers}
        live = Live(page)
        page.goto(origin + addresses[0])
        return live

    yield go
    page.close()
