"""The lesson page in a real Chromium whose webcam is the very clip that it follows, in step with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flow.web import Web
from tests.flow.webcam import chromium
from tests.lessons.conftest import Told
from videos.sampling import samples

pytestmark = [pytest.mark.browser, pytest.mark.realtime]

LENGTH_S, FPS = 12, 25
SIZE_WH = (384, 368)
WHITE_S, GREY_S = 1.0, 3.2  # The countdown, and a little for the socket, lie between the click and the first picture.
PASSWORD = "correct horse battery"
SEED = """
import json, shutil
from pathlib import Path
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from accounts.models import Unit, User
from videos import following
from videos.models import Video
user = User.objects.create_superuser("bob", password={password!r})
video = Video.objects.create(unit=Unit.objects.create(name="X"), uploaded_by=user, title="Dance", state="done",
    wants_poses=True, duration_s={length_s}, width=384, height=368, per_s=5, is_playable=True, extension="mp4")
storages["videos"].save(video.original_name, ContentFile(Path({film!r}).read_bytes()))
storages["videos"].save(video.name_of("poses.jsonl"), ContentFile(Path({rows!r}).read_bytes()))
told = str(following.lesson_of(video, user.pk).pk)
"""
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
def pictures(test_data: Path) -> list[np.ndarray]:
    """The beginning of the dance, as it is filmed."""
    seen = islice(samples(test_data / "videos" / "dancer_dev.mp4", FPS), LENGTH_S * FPS)
    return [cv2.resize(sample.frame_bgr, SIZE_WH, interpolation=cv2.INTER_AREA) for sample in seen]


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
def film(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def web(pose_models: Path, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("lesson") / "var"
    folder.mkdir()
    (folder / "models").symlink_to(pose_models)
    with Web(
        folder, redis_url=valkey, env={"OMIL_MODEL": "yolo26n.pt", "OMIL_POSE_MODEL": "yolo11n-pose.pt"}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def lesson_id(web: Web, film: Path, dancer: Told) -> str:
    rows = [row for row in dancer.rows if row["at_s"] <= LENGTH_S]
    kept = film.with_suffix(".jsonl")
    x, y = SIZE_WH[0] / 518, SIZE_WH[1] / 496
    for row in rows:
        for person in row["people"]:
            person["points"] = [[px * x, py * y, confidence] for px, py, confidence in person["points"]]
    kept.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(web.seed(SEED.format(password=PASSWORD, length_s=LENGTH_S, film=str(film), rows=str(kept))))


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
    assert (state, rest) == ("ended", 0)
    assert perfect + good + miss >= LENGTH_S * 5 * 0.8
    assert perfect >= 0.9 * (perfect + good + miss), (perfect, good, miss)

    page.locator("[data-result-link]").click()
    expect(page.locator("h1")).to_have_text("Result")
    expect(page.locator(".lesson-figure[data-kind=perfect] strong")).to_contain_text("%")
    assert page.locator(".lesson-strip rect[data-kind=perfect]").count() > LENGTH_S
    assert page.locator(".lesson-strip rect[data-kind=none]").count() <= 2
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
