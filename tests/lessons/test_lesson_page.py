"""The lesson page in a real Chromium whose webcam is the very clip that it follows, in step with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flow.web import Web
from tests.flow.webcam import chromium
from tests.lessons.conftest import FPS, LENGTH_S, PASSWORD, SIZE_WH

pytestmark = [pytest.mark.browser, pytest.mark.realtime]

WHITE_S, GREY_S = 1.0, 3.2  # The countdown, and a little for the socket, lie between the click and the first picture.
RUNS = """
from videos.lesson_models import LessonRun
told = [[each.state, each.perfect, each.good, each.miss, each.rest] for each in LessonRun.objects.reverse()]
"""
# Clicks when the webcam's picture turns from white to grey, which is when the countdown must begin.
CLICK_IN_STEP = """async () => {
  const video = document.querySelector("[data-webcam]");
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const brightness = () => {
    context.drawImage(video, 0, 0, 8, 8);
    const { data } = context.getImageData(0, 0, 8, 8);
    return data.reduce((sum, value) => sum + value, 0) / data.length;
  };
  const until = async (holds) => { while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20)); };
  await until(() => brightness() > 245);
  await until(() => brightness() < 235);
  document.querySelector("[data-start]").click();
}"""


@pytest.fixture(scope="module")
def webcam_file(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """White, then grey for the countdown, then the dance; Chromium plays it again and again."""
    path = tmp_path_factory.mktemp("webcam") / "webcam.y4m"
    width, height = SIZE_WH
    white, grey = (np.full((height, width, 3), value, np.uint8) for value in (255, 120))
    played = [white] * round(WHITE_S * FPS) + [grey] * round(GREY_S * FPS) + pictures
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420\n".encode())
        for picture in played:
            file.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes())
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def lesson_id(seeded: tuple[str, str]) -> str:
    return seeded[0]


@pytest.fixture(scope="module")
def page(web: Web, webcam_file: Path, lesson_id: str) -> Iterator[Page]:
    """Logged in as whom the lesson was made by."""
    with sync_playwright() as playwright:
        browser = chromium(playwright, webcam_file)
        page = browser.new_page(locale="en", viewport={"width": 1100, "height": 900})
        page.goto(f"{web.url}/login/")
        page.fill("[name=username]", "bob")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{web.url}/")
        yield page
        browser.close()


@pytest.fixture(scope="module")
def pictures_of_it(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = request.config.getoption("screenshots")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


def test_the_same_clip_before_the_webcam_is_nearly_always_perfect(
    web: Web, page: Page, lesson_id: str, pictures_of_it: Path
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    closed: list[str] = []
    page.on("websocket", lambda socket: socket.on("close", lambda _: closed.append(socket.url)))
    page.goto(f"{web.url}/lessons/{lesson_id}/")
    # Stopped before anything was judged, nothing is kept; and the model is warm from here on.
    expect(page.locator("[data-start]")).to_be_enabled()
    page.locator("[data-start]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-count]")).to_be_visible(timeout=60_000)
    page.locator("[data-stop]").click()
    expect(page.locator("[data-lesson]")).to_have_attribute("data-state", "left")
    page.wait_for_timeout(500)
    assert len(closed) == 1
    assert web.seed(RUNS) == []

    page.evaluate(CLICK_IN_STEP)
    expect(page.locator("[data-lesson]")).to_have_attribute("data-state", "running", timeout=10_000)
    expect(page.locator("[data-word]")).to_have_text("Perfect", timeout=10_000)
    page.wait_for_timeout(3_000)
    page.screenshot(path=pictures_of_it / "lesson.png")
    assert page.locator("[data-skeleton]").evaluate(
        "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v)"
    )
    expect(page.locator("[data-result]")).to_be_visible(timeout=(LENGTH_S + 10) * 1_000)
    expect(page.locator("[data-lesson]")).to_have_attribute("data-state", "ended")
    assert page.evaluate("document.querySelector('[data-reference]').paused")
    page.wait_for_timeout(500)
    assert len(closed) == 2
    [[state, perfect, good, miss, rest]] = web.seed(RUNS)
    assert state == "ended"
    assert perfect + good + miss + rest >= LENGTH_S * 5 * 0.8
    assert perfect + good + miss >= LENGTH_S * 5 * 0.3  # At first she stands.
    assert perfect >= 0.9 * (perfect + good + miss), (perfect, good, miss)

    page.locator("[data-result-link]").click()
    expect(page.locator("h1")).to_have_text("Result")
    expect(page.locator(".lesson-figure[data-kind=perfect] strong")).to_contain_text("%")
    assert page.locator(".lesson-strip rect[data-kind=perfect]").count() > LENGTH_S
    assert page.locator(".lesson-strip rect[data-kind=none]").count() < LENGTH_S  # While she stands.
    page.screenshot(path=pictures_of_it / "lesson_result.png")
    assert problems == []


def test_leaving_the_page_closes_the_socket_and_keeps_what_there_was(web: Web, page: Page, lesson_id: str) -> None:
    before = len(web.seed(RUNS))
    page.goto(f"{web.url}/lessons/{lesson_id}/")
    expect(page.locator("[data-start]")).to_be_enabled()
    page.locator("[data-start]").click()
    expect(page.locator("[data-lesson]")).not_to_have_attribute("data-verdict", "none", timeout=15_000)
    page.goto(f"{web.url}/lessons/")
    page.wait_for_timeout(1_000)
    runs = web.seed(RUNS)
    assert len(runs) == before + 1
    assert runs[-1][0] == "left"
    assert "Traceback" not in web.log.read_text()
    expect(page.locator(".lesson-card")).to_have_count(1)
