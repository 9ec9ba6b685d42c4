from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"cv2", "torch", "torchvision", "ultralytics", "openvino", "onnxruntime"}
CODE = """
import sys, django
django.setup()
import {module}
print(*sorted({heavy!r} & set(sys.modules)))
"""


ADMIN = """
import sys, django
django.setup()
assert "cameras.admin" not in sys.modules  # Only web shows its pages.
from django.contrib import admin
from django.core import checks
checks.run_checks(tags=["admin"])
print("cameras.admin" in sys.modules, len(admin.site._registry) > 1)
"""


def run(code: str) -> str:
    """What it prints, in a process of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["omil.asgi", "omil.urls", "omil.startup"])
def test_a_process_that_analyses_nothing_loads_no_vision_library(module: str) -> None:
    assert run(CODE.format(module=module, heavy=HEAVY)) == ""


def test_the_admin_is_checked_with_its_pages_whatever_else_is() -> None:
    assert run(ADMIN) == "True True"
