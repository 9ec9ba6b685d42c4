"""The web process alone, on a data folder and database of its own: pages, files and rights as a browser meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.product import ROOT, free_port, own_database

START_S = 60


class Web:
    """Started on entry, stopped on exit. `seed` runs before or beside it, on the same database."""

    def __init__(self, folder: Path, *, redis_url: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.port = free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OMIL_")}
        clean.pop("PROMETHEUS_MULTIPROC_DIR", None)
        self.env = {
            **clean,
            "PORT": str(self.port),
            "OMIL_DATA_DIR": str(folder),
            "OMIL_HOSTS": "",
            "REDIS_URL": redis_url,
            "DATABASE_URL": own_database(os.environ.get("DATABASE_URL", "")),
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def memory(self) -> int:
        """Bytes that the process holds."""
        assert self._process
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def seed(self, code: str) -> Any:
        """Runs this with the product's settings; what it leaves in `told` comes back."""
        lines = self.manage("shell", "--no-imports", "-c", f"{code}\nimport json\nprint(json.dumps(told))")
        return json.loads(lines.splitlines()[-1])

    def __enter__(self) -> Web:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        with self.log.open("wb") as log:
            command = [sys.executable, "manage.py", "web"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/login/").status_code == 200
        except httpx.TransportError:
            return False

    def __exit__(self, *_exception: object) -> None:
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
