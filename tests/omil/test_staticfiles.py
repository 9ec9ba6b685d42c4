from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = re.compile(
    r"""(?:\bfrom\s*|\bimport\s*\(?\s*|new\s+URL\(\s*)['"](?P<url>\.{1,2}/[^'"]+|/static/[^'"]+)['"]"""
)


def storage(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "omil.staticfiles.HashedModulesStorage"},
    }


@pytest.fixture
def collected(settings: Settings, tmp_path: Path) -> Path:
    """A folder of static files with three modules and a worker, collected."""
    source = tmp_path / "source" / "js"
    (source / "lib").mkdir(parents=True)
    (source / "page.js").write_text(
        'import { a } from "./lib/a.js";\nimport "./lib/b.js";\nexport { c } from "./lib/b.js";\n'
        'const w = new Worker(new URL("./lib/w.js", import.meta.url), { type: "module" });\n'
        'const l = () => import("./lib/a.js");\nimport z from "htmx";\nimport { d } from "./lib/b.js"\n'
    )
    (source / "lib" / "a.js").write_text('import { b } from "./b.js";\nexport const a = b;\n')
    (source / "lib" / "b.js").write_text("export const b = 1, c = 2;\n")
    (source / "lib" / "w.js").write_text('import { b } from "./b.js";\npostMessage(b);\n')
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    storage(settings)
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path / "collected"


def manifest(folder: Path) -> dict[str, str]:
    paths: dict[str, str] = json.loads((folder / "staticfiles.json").read_text())["paths"]
    return paths


def test_modules_and_workers_name_each_other_by_hash(collected: Path) -> None:
    paths = manifest(collected)
    page = (collected / paths["js/page.js"]).read_text()
    names = [Path(url).name for url in re.findall(r'"(\./?[^"]*|/[^"]*)"', page)]
    a, b, w = (Path(paths[f"js/lib/{name}.js"]).name for name in "abw")
    assert names == [a, b, b, w, a, b]
    assert 'import z from "htmx";' in page  # Not a path.
    assert b in (collected / paths["js/lib/w.js"]).read_text()


def test_a_change_deep_down_changes_every_name_above_it(collected: Path, tmp_path: Path) -> None:
    before = manifest(collected)
    (tmp_path / "source" / "js" / "lib" / "b.js").write_text("export const b = 3, c = 4;\n")
    call_command("collectstatic", interactive=False, verbosity=0)
    after = manifest(collected)
    assert all(before[name] != after[name] for name in ("js/page.js", "js/lib/a.js", "js/lib/b.js", "js/lib/w.js"))


# --- The site's own files --------------------------------------------------------------------------------------------


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path / "collected"
    storage(settings)
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path / "collected"


def test_no_module_names_another_without_its_hash(site: Path) -> None:
    ours = {path.relative_to(ROOT / "static").as_posix() for path in (ROOT / "static").rglob("*.js")}
    assert ours
    hashed = re.compile(r"\.[0-9a-f]{12}\.js$")
    unhashed = [
        f"{name}: {url}"
        for name, path in manifest(site).items()
        if name in ours
        for url in REFERENCE.findall((site / path).read_text())
        if not hashed.search(url)
    ]
    assert unhashed == []


def test_hashed_files_are_served_for_ever_and_compressed(site: Path, client: Client, settings: Settings) -> None:
    name = manifest(site)["css/base.css"]
    response = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert response.status_code == 200
    assert response["Content-Encoding"] == "gzip"
    assert "immutable" in response["Cache-Control"]
    assert len(body) < (site / name).stat().st_size
