"""Fetching a model file, from a server of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from detections import fetch
from detections.weights import WeightsError

CONTENT = b"PK" + bytes(700_000)


class Server(HTTPServer):
    """Answers every request with `content`, and says that it is `length` bytes."""

    content, length, status = CONTENT, len(CONTENT), 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.length))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_args: object) -> None:
        """Silent."""


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with Server() as running:
        settings.WEIGHTS_URL = f"http://127.0.0.1:{running.server_port}/files"
        settings.OMIL_MODEL = "yolo26n.pt"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_it_puts_the_file_where_it_is_looked_for(server: Server, settings: Settings) -> None:
    said: list[str] = []
    assert fetch.fetch(said.append) == settings.MODELS_DIR / "yolo26n.pt"
    assert (settings.MODELS_DIR / "yolo26n.pt").read_bytes() == CONTENT
    assert server.asked == ["/files/yolo26n.pt"]
    assert said == [f"Fetching {settings.WEIGHTS_URL}/yolo26n.pt ..."]
    assert [path.name for path in settings.MODELS_DIR.iterdir()] == ["yolo26n.pt"]


def test_it_shows_progress(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "EVERY_S", 0.0)
    said: list[str] = []
    fetch.fetch(said.append)
    assert said[1:] == ["  0.3 of 0.7 MB", "  0.5 of 0.7 MB", "  0.7 of 0.7 MB"]


@pytest.mark.parametrize(
    ("status", "content", "length", "says"),
    [
        (404, b"", 0, "said 404 Not Found"),
        (200, b"<html>Log in to the network</html>", 34, "not a model file"),
        (200, CONTENT[:1000], len(CONTENT), "ended after"),  # cut off
        (200, b"", 0, "not a model file"),
    ],
)
def test_a_failure_leaves_no_file_and_is_remembered(
    server: Server, settings: Settings, status: int, content: bytes, length: int, says: str
) -> None:
    server.status, server.content, server.length = status, content, length
    assert not fetch.has_failed()
    with pytest.raises(WeightsError, match=says) as caught:
        fetch.fetch(lambda line: None)
    assert str(settings.MODELS_DIR / "yolo26n.pt") in str(caught.value)
    assert fetch.has_failed()
    assert not list(settings.MODELS_DIR.glob("*.pt"))
    assert not list(settings.MODELS_DIR.glob(".fetch-[!f]*"))


def test_too_large_a_file_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_BYTES", 300_000)
    with pytest.raises(WeightsError, match="larger than"):
        fetch.fetch(lambda line: None)


def test_no_server_is_a_clear_failure(settings: Settings) -> None:
    settings.WEIGHTS_URL, settings.OMIL_MODEL = "http://127.0.0.1:9", "yolo26n.pt"
    with pytest.raises(WeightsError, match="refused"):
        fetch.fetch(lambda line: None)
    assert fetch.has_failed()


def test_a_first_run_tries_once_and_a_person_as_often_as_they_like(server: Server, settings: Settings) -> None:
    server.status = 503
    for _ in range(3):
        call_command("prepare_models", "--first-run")
    assert len(server.asked) == 1
    with pytest.raises(CommandError, match="503 Service Unavailable"):
        call_command("prepare_models")
    assert len(server.asked) == 2
    with pytest.raises(CommandError):
        call_command("prepare_models", "--offline")
    assert len(server.asked) == 2


def test_success_forgets_the_failure(server: Server) -> None:
    server.status = 503
    with pytest.raises(WeightsError):
        fetch.fetch(lambda line: None)
    server.status = 200
    fetch.fetch(lambda line: None)
    assert not fetch.has_failed()


@pytest.mark.parametrize("named", ["ours.pt", "yolo26n-pose.pt", "/some/where/yolo26n.pt"])
def test_what_is_not_published_is_never_asked_for(server: Server, settings: Settings, named: str) -> None:
    settings.OMIL_MODEL = named
    with pytest.raises(WeightsError, match="There is no model file"):
        fetch.fetch(lambda line: None)
    assert server.asked == []
