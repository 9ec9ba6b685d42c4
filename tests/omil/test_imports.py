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


@pytest.mark.parametrize("module", ["omil.asgi", "omil.urls", "omil.startup"])
def test_a_process_that_analyses_nothing_loads_no_vision_library(module: str) -> None:
    code = CODE.format(module=module, heavy=HEAVY)
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
