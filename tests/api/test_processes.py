"""The real processes: events by stream and by webhook, also across kill -9, and the page of the API in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.api.receiver import Receiver
from tests.flow import webcam
from tests.flow.web import Web
from tests.product import ROOT

SEED = """
from django.utils import timezone
from accounts.models import Unit, User
from api import collect, signing
from api.models import Webhook
from cameras import tokens
from cameras.models import Camera, Token
root = User.objects.create_superuser("root", password="x")
camera = Camera.objects.create(name="Gate", unit=Unit.objects.create(name="Unit"))
hook = Webhook.objects.create(user=root, name="Office", url={url!r})
collect.since(timezone.now(), is_deep=False)
told = {{"camera": camera.pk, "token": tokens.issue(root, "a program", Token.Scope.READ)[1],
         "secret": signing.secret_of(hook)}}
"""
VISIT = """
from django.utils import timezone
from detections.models import Visit
now = timezone.now()
visits = [Visit.objects.create(camera_id={camera}, stream="ab" * 16, first_seq=n, state="present", first_seen=now,
                               last_seen=now) for n in range({count})]
told = [str(visit.pk) for visit in visits]
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("api") / "var", redis_url=valkey)
    web.env |= {"OMIL_PULL_ALLOW": "127.0.0.1", "OMIL_NODE": "api-test"}
    with web:
        yield web


@pytest.fixture(scope="module")
def told(web: Web, receiver: Receiver) -> dict[str, Any]:
    seeded: dict[str, Any] = web.seed(SEED.format(url=receiver.url))
    return seeded


def notify(web: Web) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", "notify"], cwd=ROOT, env=web.env, stdout=subprocess.DEVNULL)


def wait_until(holds: Any, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.database
def test_every_visit_is_told_by_stream_and_webhook_also_when_the_process_is_killed(
    web: Web, told: dict[str, Any], receiver: Receiver
) -> None:
    receiver.wait_s = 0.2  # Long enough for letters to be under way when the kill comes.
    headers = {"Authorization": f"Bearer {told['token']}"}
    running = notify(web)
    try:
        with httpx.stream("GET", f"{web.url}/api/events", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 3000"
            visits = set(web.seed(VISIT.format(camera=told["camera"], count=8)))
            wait_until(lambda: len(receiver.received) >= 2)
            running.kill()
            running.wait(5)
            running = notify(web)
            streamed: list[str] = []
            for line in lines:
                if line.startswith("data: "):
                    streamed.append(json.loads(line[6:])["data"]["id"])
                if len(streamed) == len(visits):
                    break
        assert sorted(streamed) == sorted(visits)  # Once each.
        wait_until(lambda: {got.message["data"]["id"] for got in receiver.received} == visits)
        messages = [got.verified(told["secret"]) for got in receiver.received]
        ids = {message["data"]["id"]: message["id"] for message in messages}
        # What was under way at the kill came twice, with the same id.
        assert {(message["data"]["id"], message["id"]) for message in messages} == set(ids.items())
        first_times = list(dict.fromkeys(message["data"]["id"] for message in messages))
        assert first_times == streamed, "not in order"
    finally:
        running.terminate()
        assert running.wait(5) == 0  # It stops when told to.
        receiver.wait_s = 0.0


@pytest.mark.browser
def test_the_page_of_the_api_works_in_a_browser_by_its_own_files_alone(web: Web, told: dict[str, Any]) -> None:
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = webcam.chromium(playwright)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{web.url}/docs")
        page.get_by_text("/api/cameras/{slug}/coverage").wait_for()
        page.locator("#operations-visits-listVisits").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_status", has_text="401").wait_for()
        browser.close()
    assert [each for each in asked if not each.startswith((web.url, "data:", "blob:"))] == []
    assert [each for each in said if "401" not in each] == []
