"""A real Chromium with the site's script modules, served from static/ on a port of their own."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

STATIC = Path(__file__).parents[2] / "static"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
Run = Callable[..., Any]


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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium on this machine (Debian's package is called chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
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
