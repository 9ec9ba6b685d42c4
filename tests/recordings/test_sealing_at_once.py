"""Several media workers seal clips of one camera at the same time, each a process of its own as in the product."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import own_database

ROOT = Path(__file__).parents[2]
EACH = 25
MADE = """
import django; django.setup()
from django.core.management import call_command
from accounts.models import Unit
from cameras.models import Camera
call_command("migrate", verbosity=0)
Camera.objects.create(name="x", unit=Unit.objects.create(name="x"))
"""
# Half of the clips are not ready after all: their numbers must go to others.
SEALED = f"""
import sys
import django; django.setup()
from cameras.models import Camera
from django.db import transaction
from recordings import evidence
from tests.recordings.shelf import put

camera = Camera.objects.get()
rows = [put(camera, days=n / 10 + float(sys.argv[1]), is_sealed=False) for n in range(2 * {EACH})]
print("ready", flush=True)
sys.stdin.readline()
for n, row in enumerate(rows):
    with transaction.atomic():
        evidence.seal(row, "0" * 64)
        if n % 2:
            transaction.set_rollback(True)
"""
COUNTED = """
import django; django.setup()
from recordings import evidence
from recordings.models import Seal
print(list(Seal.objects.order_by("number").values_list("number", flat=True)))
print(sorted({finding.kind for finding in evidence.verify()}))
"""


@pytest.mark.database
def test_numbers_are_given_once_and_without_gaps(tmp_path: Path) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "omil.settings", "OMIL_DATA_DIR": str(tmp_path)}
    env["DATABASE_URL"] = own_database(os.environ.get("DATABASE_URL", ""))

    def start(code: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    _said, error = start(MADE).communicate(timeout=60)
    assert not error
    workers = [start(SEALED, str(n / 100)) for n in range(3)]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n", worker.communicate()[1]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _said, error = worker.communicate(timeout=60)
        assert worker.returncode == 0, error
    said, error = start(COUNTED).communicate(timeout=60)
    numbers, kinds = said.splitlines()
    assert numbers == str(list(range(1, 3 * EACH + 1))), error
    assert "chain" not in kinds, "every link follows from the one before it"
    assert "'seal'" in kinds, "those that were rolled back have none"
