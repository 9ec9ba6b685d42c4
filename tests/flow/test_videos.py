"""Videos in the running product: uploaded by a browser and by a client of tus, analysed with the real model, killed,
cancelled, and watched with boxes in step."""

from __future__ import annotations

import random
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.flow import webcam
from tests.product import Product
from tests.videos import films

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Product]:
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_ANALYSIS_WORKERS": "1"}
    with Product(tmp_path_factory.mktemp("videos") / "var", models=models, env=env) as running:
        running.manage("shell", "-c", "from accounts.models import Unit; Unit.objects.create(name='Harbour')")
        yield running


# How much is drawn at most within three pixels of a place of the picture, given from 0 to 1.
CORNER = """([x, y]) => {
  const [video, canvas] = [document.querySelector("video"), document.querySelector("[data-overlay]")];
  const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
  const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale];
  const [left, top] = [(canvas.width - wide) / 2 + x * wide, (canvas.height - high) / 2 + y * high];
  const { data } = canvas.getContext("2d").getImageData(Math.round(left) - 3, Math.round(top) - 3, 7, 7);
  return Math.max(...data.filter((_value, index) => index % 4 === 3));
}"""


class Operator:
    """Who uploads by the protocol, in pieces."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.browser = product.logged_in()

    def send(self, method: str, url: str, headers: dict[str, str], data: bytes = b"") -> httpx.Response:
        token = self.browser.cookies[f"omil_csrf_{self.product.port}"]
        both = {"Tus-Resumable": "1.0.0", "X-CSRFToken": token, **headers}
        return self.browser.request(method, url, headers=both, content=data, timeout=60)

    def upload(self, path: Path, **wishes: str) -> str:
        """Its id."""
        told = {"filename": path.name, "unit": "harbour", **wishes}
        metadata = ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in told.items())
        data = path.read_bytes()
        made = self.send("POST", "/videos/upload/", {"Upload-Length": str(len(data)), "Upload-Metadata": metadata})
        assert made.status_code == 201, made.text
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        answer = self.send("PATCH", made.headers["Location"], kind, data)
        assert answer.status_code == 204, answer.text
        return made.headers["Location"].rstrip("/").rpartition("/")[2]

    def state(self, video: str) -> str:
        found = self.product.query("SELECT state FROM videos_video WHERE id = ?", self.key(video))
        return found[0][0] if found else "gone"

    def key(self, video: str) -> str:
        return video if self.product.env["DATABASE_URL"] else video.replace("-", "")

    def wait(self, video: str, state: str = "done") -> None:
        self.product.wait_until(lambda: self.state(video) == state, PATIENCE_S)

    def file(self, video: str, name: str) -> bytes:
        return (self.product.folder / "videos-store" / video / name).read_bytes()

    def delete(self, video: str) -> None:
        token = self.browser.cookies[f"omil_csrf_{self.product.port}"]
        answer = self.browser.post(f"/videos/{video}/delete/", data={"csrfmiddlewaretoken": token})
        assert answer.status_code == 200

    def left(self, video: str) -> list[Any]:
        rows = self.product.query("SELECT id FROM videos_video WHERE id = ?", self.key(video))
        rows += self.product.query("SELECT id FROM videos_videovisit WHERE video_id = ?", self.key(video))
        return [*rows, *(path for path in self.product.folder.glob(f"videos-*/{video}*"))]


@pytest.fixture(scope="module")
def operator(product: Product) -> Iterator[Operator]:
    found = Operator(product)
    yield found
    found.browser.close()


@pytest.fixture(scope="module")
def pets(operator: Operator, test_data: Path) -> str:
    """An undisturbed run."""
    video = operator.upload(test_data / "videos" / "pets09_dev.mp4", per_s="10")
    operator.wait(video)
    return video


def moments(request: pytest.FixtureRequest) -> list[float]:
    """Shares of the analysis at which something happens."""
    draw = random.Random(5)
    return [draw.random() for _ in range(20 if request.config.getoption("--run-soak") else 2)]


@pytest.mark.kills
@pytest.mark.timeout(1_200)
def test_a_killed_media_worker_costs_nothing(
    operator: Operator, pets: str, test_data: Path, request: pytest.FixtureRequest
) -> None:
    product = operator.product
    for share in moments(request):
        video = operator.upload(test_data / "videos" / "pets09_dev.mp4", per_s="10")
        wanted = share * 400

        def has_come_so_far(video: str = video, wanted: float = wanted) -> bool:
            found = product.query("SELECT samples, state FROM videos_video WHERE id = ?", operator.key(video))
            return bool(found[0][0] >= wanted or found[0][1] == "done")

        product.wait_until(has_come_so_far, PATIENCE_S)
        for process in product.processes("media"):
            process.kill()
        operator.wait(video)
        assert operator.file(video, "tracks.jsonl") == operator.file(pets, "tracks.jsonl")
        pictures = len(list((product.folder / "videos-store" / video / "visits").iterdir()))
        assert pictures == len(list((product.folder / "videos-store" / pets / "visits").iterdir()))
        work = product.folder / "videos-work" / video
        product.wait_until(lambda work=work: not work.exists(), PATIENCE_S)  # Killed at the very end, it is swept up.
        operator.delete(video)
        assert operator.left(video) == []


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_a_cancelled_analysis_leaves_nothing_within_two_seconds(
    operator: Operator, pets: str, test_data: Path, request: pytest.FixtureRequest
) -> None:
    product = operator.product
    for share in moments(request):
        video = operator.upload(test_data / "videos" / "pets09_dev.mp4", per_s="10")
        time.sleep(share * 4)
        operator.delete(video)
        product.wait_until(lambda video=video: operator.left(video) == [], 2.0)
        time.sleep(1.0)
        assert operator.left(video) == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = webcam.chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, operator: Operator) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    cookies = [
        {"name": name, "value": value, "url": operator.product.url} for name, value in operator.browser.cookies.items()
    ]
    context.add_cookies(cookies)  # type: ignore[arg-type]
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    yield opened
    context.close()
    # What a browser says of its own accord about an upload that is refused or broken off.
    assert [problem for problem in problems if not problem.startswith("Failed to load resource")] == []


def picture(page: Page, request: pytest.FixtureRequest, name: str) -> None:
    if folder := request.config.getoption("--screenshots"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_browser_uploads_several_and_sees_them_become_done(
    page: Page, operator: Operator, test_data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page.goto(f"{operator.product.url}/videos/")
    fake = tmp_path / "세 번째 <b>film & co.mp4"
    fake.write_bytes(b"this is no film" * 100)
    clips = test_data / "videos"
    page.locator("[data-files]").set_input_files(
        [clips / "head-pose-face-detection-female.mp4", clips / "asl_walk.mkv", fake]
    )
    rows = page.locator(".upload-row")
    expect(rows).to_have_count(3)
    expect(page.locator('.upload-row[data-state="done"]')).to_have_count(2, timeout=30_000)
    failed = page.locator('.upload-row[data-state="failed"]')
    expect(failed).to_contain_text("This is no video of a kind that is taken")
    expect(failed).to_contain_text("세 번째 <b>film & co.mp4")
    picture(page, request, "videos-uploaded")
    for name in ("head-pose-face-detection-female.mp4", "asl_walk.mkv"):
        row = page.locator(".video-row").filter(has_text=name)
        expect(row).to_have_attribute("data-state", "done", timeout=60_000)
    picture(page, request, "videos-done")
    page.get_by_role("link", name="asl_walk.mkv").last.click()
    expect(page.locator("video")).to_be_visible(timeout=60_000)  # Its copy: a browser plays no MKV.
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")


def test_a_broken_off_upload_goes_on(page: Page, operator: Operator, tmp_path: Path) -> None:
    path = films.make(
        tmp_path / "long.mkv", codec="ffv1", pix_fmt="bgr0", seconds=40, fps=25, size=(320, 240), draw=noisy
    )
    assert path.stat().st_size > 20_000_000
    page.goto(f"{operator.product.url}/videos/")
    patches: list[int] = []

    def pass_two(route: Any) -> None:
        patches.append(1)
        if len(patches) > 2:
            route.abort()
        else:
            route.continue_()

    page.route(
        "**/videos/upload/*/", lambda route: pass_two(route) if route.request.method == "PATCH" else route.continue_()
    )
    page.locator("[data-files]").set_input_files(path)
    expect(page.locator('.upload-row[data-state="lost"]')).to_have_count(1, timeout=30_000)
    page.unroute_all()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    found = operator.product.query("SELECT received, size FROM videos_video WHERE state = 'uploading'")
    assert 0 < found[0][0] < found[0][1]
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if "/videos/upload/" in request.url else None)
    page.locator("[data-files]").set_input_files(path)
    expect(page.locator('.upload-row[data-state="done"]')).to_have_count(1, timeout=60_000)
    assert sent[0] == "HEAD"
    assert "POST" not in sent
    assert operator.product.query("SELECT id FROM videos_video WHERE state = 'uploading'") == []


def noisy(number: int, picture_bgr: films.Picture) -> None:
    import numpy as np

    picture_bgr[:] = np.random.default_rng(number).integers(0, 60, picture_bgr.shape, np.uint8)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_player_draws_boxes_in_step(
    page: Page, operator: Operator, pets: str, request: pytest.FixtureRequest, language: str
) -> None:
    import json

    rows = [json.loads(line) for line in operator.file(pets, "tracks.jsonl").splitlines()]
    page.context.add_cookies([{"name": "django_language", "value": language, "url": operator.product.url}])
    page.goto(f"{operator.product.url}/videos/{pets}/")
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    root = page.locator("[data-video]")
    for sample in (20, 100, 250):
        page.evaluate("at => { document.querySelector('video').currentTime = at }", sample / 10 + 0.001)
        expect(root).to_have_attribute("data-sample", str(sample))
        expect(root).to_have_attribute("data-boxes", str(len(rows[sample]["boxes"])))
        for _track, left, top, *_rest in rows[sample]["boxes"]:
            assert page.evaluate(CORNER, [left, top]) > 200
    picture(page, request, f"video-{language}")
    page.keyboard.press("k")
    page.wait_for_function("() => Number(document.querySelector('[data-video]').dataset.sample) > 255")
    page.keyboard.press("k")
    page.locator("[data-jump]").first.click()
    expect(root).to_have_attribute("data-sample", str(rows.index(next(row for row in rows if row["boxes"]))))
    page.keyboard.press("b")
    expect(root).to_have_attribute("data-boxes", "0")
    page.goto(f"{operator.product.url}/videos/")
    picture(page, request, f"videos-{language}")


def test_the_film_streams_by_ranges(pets: str, operator: Operator) -> None:
    answer = operator.browser.get(f"/videos/{pets}/film", headers={"Range": "bytes=100-199"})
    assert answer.status_code == 206
    assert operator.browser.get(f"/videos/{pets}/original").content[100:200] == answer.content
