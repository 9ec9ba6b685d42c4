"""A Chromium driven without Playwright, which keeps every page in front: here a tab behind another is truly hidden."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.flow import webcam

START_S = 30
ANSWER_S = 30


class Tabs:
    """Runs from entry to exit, with this file as its webcam; its first tab is in front until another is opened."""

    def __init__(self, home: Path, camera: Path) -> None:
        self._home = home
        self._command = [
            webcam.path_of_chromium(),
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={home}",
            *webcam.FLAGS,
            *webcam.media_flags(camera),
            "about:blank",
        ]

    def __enter__(self) -> Tabs:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._url = f"http://127.0.0.1:{self._port()}/json"
            tab = next(target for target in httpx.get(self._url).json() if target["type"] == "page")
            self._socket: ClientConnection = connect(tab["webSocketDebuggerUrl"], max_size=None).__enter__()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.__exit__(kind, error, at)
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def _port(self) -> int:
        file, deadline = self._home / "DevToolsActivePort", time.monotonic() + START_S
        while not (file.exists() and "\n" in file.read_text()):
            assert self._process.poll() is None, "Chromium did not start"
            assert time.monotonic() < deadline, "Chromium did not open its port"
            time.sleep(0.05)
        return int(file.read_text().splitlines()[0])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._socket.send(json.dumps({"id": 1, "method": method, "params": parameters}))
        answer: dict[str, Any] = json.loads(self._socket.recv(ANSWER_S))
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    # --- The first tab ---

    def go(self, url: str) -> None:
        self._ask("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        return self._ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"{expression} did not come true in {timeout_s:g} s"
            time.sleep(0.1)

    # --- Another ---

    def open_another(self) -> None:
        """An empty tab before the first."""
        tab = httpx.put(f"{self._url}/new?about:blank").json()
        httpx.get(f"{self._url}/activate/{tab['id']}").raise_for_status()
