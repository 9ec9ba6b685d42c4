"""The README's promises that can be read off the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]*?) ?\| (?P<meaning>[^|]+) \|$", re.MULTILINE)


def settings() -> dict[str, str | None]:
    """Each variable that settings.py reads, and its default as the README should show it; None where it is computed."""
    read: dict[str, str | None] = {}
    for node in ast.walk(ast.parse((ROOT / "omil" / "settings.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and re.fullmatch(r"env\.\w+", ast.unparse(node.func)):
            name, *rest = node.args
            assert isinstance(name, ast.Constant)
            read[str(name.value)] = shown(rest[0]) if rest else ""
    return read


def shown(default: ast.expr) -> str | None:
    if any(isinstance(part, ast.Name | ast.Call | ast.Attribute) for part in ast.walk(default)):
        return None
    return f"`{eval(ast.unparse(default), {})}`"


def test_it_lists_every_setting_and_no_other() -> None:
    assert sorted(row["name"] for row in ROW.finditer(README)) == sorted(settings())


@pytest.mark.parametrize(("name", "default"), [pair for pair in settings().items() if pair[1] is not None])
def test_it_shows_the_default_of(name: str, default: str) -> None:
    rows = {row["name"]: row["default"] for row in ROW.finditer(README)}
    assert rows[name] == default


def test_it_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)) <= targets
    assert {"run", "test", "lint", "bench", "soak", "lock"} <= targets


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target != "docs/dashboard.png":  # Made by the browser test.
            assert (ROOT / target).exists(), target


def test_every_process_of_the_procfile_is_a_command() -> None:
    from django.core.management import get_commands

    from omil.supervise import read_procfile

    commands = read_procfile(ROOT / "Procfile")
    assert all(argv[:2] == ("python", "manage.py") for argv in commands.values())
    assert {argv[2] for argv in commands.values()} <= set(get_commands())
