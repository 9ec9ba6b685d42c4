"""Clips as a browser gets them from the real web process: they play and seek, whoever reads slowly costs no memory, and
strangers get nothing."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.flow import webcam
from tests.flow.web import Web

pytestmark = pytest.mark.timeout(300)
READERS, BIG = 50, 200_000_000
MOST_MEMORY = 50_000_000
SEED = f"""
from datetime import UTC, datetime, timedelta
from pathlib import Path
from django.conf import settings
from django.test import Client
from accounts.models import Membership, Role, Unit, User
from cameras.models import Camera
from cameras import folders
from detections.models import Visit
from detections.tracklog import LoggedBox, Row, TrackLog
from recordings.models import Recording
from tests.recordings.footage import make_clip

def session(name, unit, role):
    user = User.objects.create_user(name, password="x", is_approved=True)
    Membership.objects.create(user=user, unit=unit, role=role)
    client = Client()
    client.force_login(user)
    return {{key: morsel.value for key, morsel in client.cookies.items()}}

harbour, airfield = Unit.objects.create(name="Harbour"), Unit.objects.create(name="Airfield")
camera = Camera.objects.create(name="Quay gate", unit=harbour)
steady = make_clip(camera)
# As life sends pictures: unevenly, with a pause, and a last one that stands alone.
uneven = [0, 0.2, 0.4, 0.95, 1.1, 1.3, 1.5, 4.0, 4.2, 4.41, 4.6, 4.8, 5.0, 5.2, 5.4, 5.6, 8.1]
start = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)
odd = make_clip(camera, start, uneven, size=(176, 130))
first, last = start + timedelta(seconds=1.1), start + timedelta(seconds=5)
visit = Visit.objects.create(camera=camera, stream="0" * 32, first_seq=1, state="ended", end_reason="left",
    first_seen=first, last_seen=last, ended_at=last)
log = TrackLog(folders.tracks_of(camera.pk))
for number, at in enumerate(uneven):
    if 1 <= at <= 5:
        box = LoggedBox(1, str(visit.pk), 0.1 + at / 20, 0.2, 0.4 + at / 20, 0.9, 0.9)
        log.append(Row(number + 1, "0" * 32, number + 1, start.timestamp() + at, [box]))
one = make_clip(camera, datetime(2026, 3, 4, 12, 20, tzinfo=UTC), [0, 0.3])
big = make_clip(camera, datetime(2026, 3, 4, 13, 0, tzinfo=UTC))
with (Path(settings.RECORDINGS_DIR) / big.path).open("r+b") as file:
    file.truncate({BIG})
told = {{
    "clips": [str(clip.pk) for clip in (steady, odd, one)],
    "spans": [10.0, 8.1, 0.3],
    "times": uneven,
    "big": str(big.pk),
    "visit": str(visit.pk),
    "operator": session("odette", harbour, Role.OPERATOR),
    "stranger": session("yorick", airfield, Role.OPERATOR),
    "guard": session("gerald", harbour, Role.GUARD_POST),
}}
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Web]:
    with Web(tmp_path_factory.mktemp("review") / "var", redis_url=valkey) as running:
        yield running


@pytest.fixture(scope="module")
def told(web: Web) -> dict[str, Any]:
    seeded: dict[str, Any] = web.seed(SEED)
    return seeded


# --- Rights ---


def words_of(answer: httpx.Response, asked: str) -> str:
    """The page less what differs from one answer to the next."""
    return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", answer.text.replace(asked, ""))


@pytest.mark.parametrize(
    "path", ["", "video.mp4", "download/", "poster.jpg", "strip.jpg", "frames.json", "frames.json?from=0&to=9"]
)
def test_strangers_get_nothing_of_a_clip(web: Web, told: dict[str, Any], path: str) -> None:
    address = f"{web.url}/recordings/{told['clips'][0]}/{path}"
    guessed = f"{web.url}/recordings/{told['visit']}/{path}"
    ranged = {"Range": "bytes=0-99"}
    mine = httpx.get(address, cookies=told["operator"], headers=ranged)
    assert mine.status_code in {200, 206}
    anonymous = httpx.get(address, headers=ranged)
    assert (anonymous.status_code, anonymous.content) == (302, b"")
    assert anonymous.headers["Location"].startswith("/login/")
    foreign = httpx.get(address, cookies=told["stranger"], headers=ranged)
    missing = httpx.get(guessed, cookies=told["stranger"], headers=ranged)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert words_of(foreign, told["clips"][0]) == words_of(missing, told["visit"])
    assert "Quay" not in foreign.text
    assert httpx.get(address, cookies=told["guard"], headers=ranged).status_code in {302, 404}


@pytest.mark.parametrize("path", ["recordings/{}", "media/{}", "static/{}", "var/recordings/{}"])
def test_clips_lie_in_no_static_folder(web: Web, told: dict[str, Any], path: str) -> None:
    file = next((web.folder / "recordings").rglob("*.mp4")).relative_to(web.folder / "recordings")
    assert httpx.get(f"{web.url}/{path.format(file)}", cookies=told["operator"]).status_code == 404


def test_a_film_arrives_byte_for_byte(web: Web, told: dict[str, Any]) -> None:
    clip = next((web.folder / "recordings").rglob(f"*{told['clips'][0]}.mp4")).read_bytes()
    address = f"{web.url}/recordings/{told['clips'][0]}/video.mp4"
    assert httpx.get(address, cookies=told["operator"]).content == clip
    part = httpx.get(address, cookies=told["operator"], headers={"Range": "bytes=100-1099"})
    assert (part.status_code, part.content) == (206, clip[100:1_100])


# --- Memory ---


class Highest:
    """The most memory that the process held meanwhile."""

    def __init__(self, web: Web) -> None:
        self._web, self._is_over = web, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.bytes = 0

    def __enter__(self) -> Highest:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.05):
            self.bytes = max(self.bytes, self._web.memory)


async def read_all(web: Web, told: dict[str, Any], *, first: int, pause_s: float, then: int) -> list[int]:
    """So many readers at once, who stop in the middle as somebody does who has paused a film."""
    address = f"{web.url}/recordings/{told['big']}/video.mp4"
    limits = httpx.Limits(max_connections=READERS)
    async with httpx.AsyncClient(cookies=told["operator"], limits=limits, timeout=60) as client:

        async def read() -> int:
            count = 0
            async with client.stream("GET", address, headers={"Range": "bytes=0-"}) as response:
                assert response.status_code == 206
                chunks = response.aiter_raw(65_536)
                async for chunk in chunks:
                    count += len(chunk)
                    if count >= first:
                        break
                await asyncio.sleep(pause_s)
                async for chunk in chunks:
                    count += len(chunk)
                    if count >= first + then:
                        break
            return count

        return await asyncio.gather(*(read() for _ in range(READERS)))


def test_fifty_readers_of_a_large_film_cost_little_memory(web: Web, told: dict[str, Any], record_property: Any) -> None:
    """Some take it as fast as they can, and all of them stop in the middle for a while."""
    asyncio.run(read_all(web, told, first=100_000, pause_s=0, then=0))  # Connections and threads are there.
    before = web.memory
    with Highest(web) as highest:
        counts = asyncio.run(read_all(web, told, first=1_000_000, pause_s=3, then=9_000_000))
    record_property("memory_bytes", highest.bytes - before)
    assert min(counts) >= 10_000_000
    assert highest.bytes - before < MOST_MEMORY


def test_the_site_answers_while_films_are_read(web: Web, told: dict[str, Any]) -> None:
    waits = []

    async def look() -> None:
        reading = asyncio.create_task(read_all(web, told, first=4_000_000, pause_s=1, then=4_000_000))
        async with httpx.AsyncClient(cookies=told["operator"], timeout=30) as client:
            while not reading.done():
                began = time.monotonic()
                assert (await client.get(f"{web.url}/recordings/alarm.json")).status_code == 200
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.1)
        await reading

    asyncio.run(look())
    assert sorted(waits)[len(waits) // 2] < 1


# --- A real browser ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = webcam.chromium(playwright)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, web: Web, told: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC", locale="en-GB")
    context.add_cookies([{"name": name, "value": value, "url": web.url} for name, value in told["operator"].items()])
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    yield opened
    context.close()
    assert [line for line in problems if "WebSocket" not in line] == []


# Seeks and says what is shown then: where the player is, and how bright the picture and its left edge are.
SHOWN = """
async (at) => {
  const video = document.querySelector("video");
  if (video.readyState < 1) await new Promise((done) => video.addEventListener("loadedmetadata", done, { once: true }));
  if (at !== null) {
    const seeked = new Promise((done) => video.addEventListener("seeked", done, { once: true }));
    video.currentTime = at;
    await seeked;
  }
  while (video.readyState < 2) await new Promise((done) => setTimeout(done, 20));
  const size = { width: video.videoWidth, height: video.videoHeight };
  const canvas = Object.assign(document.createElement("canvas"), size);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
  return { time: video.currentTime, duration: video.duration, ended: video.ended, light: sum / (data.length / 4) / 3 };
}
"""
ENDED = "() => { const video = document.querySelector('video'); return video.ended; }"


@pytest.mark.browser
@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_clip_plays_and_seeks_to_its_end(page: Page, web: Web, told: dict[str, Any], number: int) -> None:
    span = told["spans"][number]
    page.goto(f"{web.url}/recordings/{told['clips'][number]}/")
    first = page.evaluate(SHOWN, None)
    assert first["duration"] == pytest.approx(span, abs=0.2)
    assert first["light"] > 40
    for share in (0.5, 0.1, 0.9):
        shown = page.evaluate(SHOWN, share * span)
        assert shown["time"] == pytest.approx(share * span, abs=0.05)
        assert shown["light"] > 40
    page.evaluate(
        "() => { const film = document.querySelector('video'); film.playbackRate = 4; film.currentTime = 0; }"
    )
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function(ENDED, timeout=15_000)
    last = page.evaluate(SHOWN, None)
    assert last["time"] == pytest.approx(span, abs=0.2)
    assert last["light"] > 40


@pytest.mark.browser
def test_frames_are_stepped_one_by_one_with_the_boxes_of_each(page: Page, web: Web, told: dict[str, Any]) -> None:
    page.goto(f"{web.url}/recordings/{told['clips'][1]}/")
    page.wait_for_selector("[data-recording][data-frame-count='17']")
    page.evaluate(SHOWN, 0)
    times = told["times"]
    for number in range(1, 12):
        page.keyboard.press(".")
        page.wait_for_function(
            "at => Math.abs(Number(document.querySelector('[data-recording]').dataset.time) - at) < 0.002",
            arg=times[number],
        )
        boxes = "1" if 1 <= times[number] <= 5 else "0"
        page.wait_for_selector(f"[data-recording][data-boxes='{boxes}']")
        shown = page.evaluate("document.querySelector('video').currentTime")
        assert times[number] <= shown < times[number + 1]
    page.keyboard.press(",")
    page.wait_for_function(
        "at => Math.abs(Number(document.querySelector('[data-recording]').dataset.time) - at) < 0.002", arg=times[10]
    )
    page.keyboard.press("b")
    page.wait_for_selector("[data-recording][data-boxes='0']")


@pytest.mark.browser
def test_a_link_leads_to_its_moment_and_a_visit_is_jumped_to(page: Page, web: Web, told: dict[str, Any]) -> None:
    page.goto(f"{web.url}/recordings/{told['clips'][1]}/?t=4.3")
    page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 4.3) < 0.05")
    for _ in range(4):  # A film that already plays when its size is known goes on from there, too.
        page.goto(f"{web.url}/recordings/{told['clips'][1]}/?t=4.3&play=1")
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.4")
        assert page.evaluate("document.querySelector('video').currentTime") >= 4.3
    page.evaluate("document.querySelector('video').pause()")
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelector('video').currentTime === 0")
    page.wait_for_selector("[data-recording][data-frame-count='17']")
    page.keyboard.press("n")
    page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 1.1) < 0.05")
    page.keyboard.press("l")
    page.wait_for_function("() => location.search.includes('t=1.1')")


@pytest.mark.browser
def test_the_day_is_zoomed_and_walked_by_keys(page: Page, web: Web, told: dict[str, Any]) -> None:
    page.goto(f"{web.url}/recordings/?camera=quay-gate&day=2026-03-04")
    axis = page.locator("[data-axis]")
    axis.focus()
    assert page.locator(".lane-clip[data-state=ready]").count() == 4
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("n")
    assert "recording 12:10:00–12:10:08" in page.locator("[data-detail]").inner_text()
    for _ in range(8):
        page.keyboard.press("+")
    with page.expect_response(lambda answer: "timeline.json" in answer.url):
        page.keyboard.press("+")
    detail = page.locator("[data-detail]")
    page.keyboard.press("p")  # To a clip that the zoomed view does not show, and back.
    expect(detail).not_to_contain_text("12:10:00")
    expect(detail).to_contain_text("recording")
    page.keyboard.press("n")
    expect(detail).to_contain_text("recording 12:10:00–12:10:08")
    page.keyboard.press("[")
    assert page.locator("[data-export] [name=start]").input_value().startswith("2026-03-04T12:10")
    page.locator("[data-axis]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/recordings/{told['clips'][1]}/?t=0.0")
