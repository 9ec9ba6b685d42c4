"""A machine with nothing but the clone: no weights, no network. Omil's own model finds people, and is named."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.product import Product

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]
FILM, FPS = "one-by-one-person-detection", 10
FIRST_TWO_S = 48.0


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory, test_data: Path, request: pytest.FixtureRequest
) -> Iterator[Product]:
    env = {"OMIL_WEIGHTS_URL": "http://127.0.0.1:9", "OMIL_RECORD_STOP_AFTER_S": "2"}  # Nobody answers there.
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "files").mkdir()
    length = [] if request.config.getoption("whole_clip") else ["-t", str(FIRST_TWO_S)]
    copied = ["ffmpeg", "-v", "error", "-i", str(test_data / "videos" / f"{FILM}.mp4"), *length, "-c", "copy"]
    subprocess.run([*copied, str(folder / "files" / f"{FILM}.mp4")], check=True)
    with Product(folder, models=None, env=env) as running:
        yield running


def test_the_console_the_pages_and_healthz_name_the_model_and_say_how_to_add_weights(product: Product) -> None:
    assert "Detector: omil-person · OpenVINO" in product.output
    with closing(product.logged_in()) as browser:
        model = browser.get("/healthz").json()["parts"]["model"]
        assert model["name"].startswith("omil-person · OpenVINO")
        for page in ("/", "/admin/"):
            assert model["name"] in browser.get(page).text
    for told in (product.output, model["advice"]):
        assert "models/omil-person/README.md" in told
        assert str(product.folder / "models" / "yolo26n.pt") in told


def test_people_who_come_one_after_the_other_are_a_visit_each(
    product: Product, test_data: Path, request: pytest.FixtureRequest
) -> None:
    """Two of them; with `--whole-clip` all six."""
    product.manage("add_camera", "Room", "--source", f"file:{FILM}.mp4")
    stays = json.loads((test_data / "videos" / f"{FILM}.presence.json").read_text())["visits"]
    if not request.config.getoption("whole_clip"):
        stays = [stay for stay in stays if stay[1] / FPS < FIRST_TWO_S]
    product.wait_until(lambda: count(product, "") >= len(stays) and not count(product, "WHERE state <> 'ended'"), 240)
    assert count(product, "") == len(stays)
    assert count(product, "WHERE is_verified") == len(stays)


def test_the_machines_other_users_can_open_nothing_of_it(product: Product) -> None:
    """After the film: its visits, their pictures and a clip are there."""
    product.wait_until(lambda: any(product.folder.glob("recordings/**/*.mp4")), 60)
    found = []
    for folder, folders, files in os.walk(product.folder):
        here = Path(folder)
        open_to_others = [name for name in [*folders, *files] if is_open_to_others(here / name)]
        found += [str(here / name) for name in open_to_others]
        folders[:] = [name for name in folders if name in open_to_others]  # Nobody comes past the others.
    public = [str(product.folder / name) for name in ("files", "models")]  # The test's own; weights.
    assert [path for path in found if not path.startswith(tuple(public))] == []


def is_open_to_others(path: Path) -> bool:
    with suppress(FileNotFoundError):  # It has gone meanwhile, as SQLite's and half-written files do.
        return not path.is_symlink() and bool(path.lstat().st_mode & 0o077)
    return False


def count(product: Product, where: str) -> int:
    [(rows,)] = product.query(f"SELECT count(*) FROM detections_visit {where}")
    return int(rows)
