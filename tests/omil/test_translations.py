"""The Korean catalogue: every text of the project is in it, translated, and fits what it translates."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("accounts", "api", "cameras", "detections", "profiles", "recordings", "videos", "omil", "templates")
CATALOGUE = Path("locale/ko/LC_MESSAGES/django.po")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}|</?\w+>")


def lines_of(catalogue: Path, *options: str) -> str:
    """The catalogue as gettext's own tool writes it, every text on one line."""
    command = ["msgattrib", "--no-wrap", *options, str(catalogue)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def texts(catalogue: Path) -> dict[str, list[str]]:
    """By context, text and plural: its translations."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines_of(catalogue, "--no-obsolete").splitlines():
        name, _space, value = line.partition(" ")
        if name == "msgctxt" or (name == "msgid" and not key.startswith("msgctxt")):
            key = line if name == "msgctxt" else value
        elif name in ("msgid", "msgid_plural"):
            key += value
        elif name.startswith("msgstr"):
            found.setdefault(key, []).append(value)
        elif not line:
            key = ""
    found.pop('""', None)
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with the catalogue brought up to date."""
    if shutil.which("xgettext") is None:
        pytest.skip("There is no xgettext on this machine (Debian's package is called gettext).")
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    (copy / CATALOGUE).parent.mkdir(parents=True)
    shutil.copy(ROOT / CATALOGUE, copy / CATALOGUE)
    command = [sys.executable, "-m", "django", "makemessages", "--locale=ko", "--no-wrap", "--no-obsolete"]
    # Without settings: they would name the catalogue of the sources themselves.
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    return copy / CATALOGUE


def test_every_text_of_the_sources_is_in_the_catalogue(fresh: Path) -> None:
    kept, found = set(texts(ROOT / CATALOGUE)), set(texts(fresh))
    assert not found - kept, "makemessages finds new texts"
    assert not kept - found, "the catalogue has texts that are gone"


@pytest.mark.parametrize("option", ["--untranslated", "--only-fuzzy"])
def test_every_text_is_translated_for_certain(option: str) -> None:
    assert "msgid" not in lines_of(ROOT / CATALOGUE, option, "--no-obsolete")


def test_a_translation_keeps_the_placeholders_of_its_text() -> None:
    for text, translations in texts(ROOT / CATALOGUE).items():
        for translation in translations:
            assert set(PLACEHOLDER.findall(translation)) == set(PLACEHOLDER.findall(text)), text


def test_a_translation_is_korean() -> None:
    plain = {
        key for key, found in texts(ROOT / CATALOGUE).items() if not all(re.search("[가-힣]", text) for text in found)
    }
    assert plain == set()
