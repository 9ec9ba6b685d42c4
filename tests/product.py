"""The whole product as a user starts it, for tests that need its processes: `manage.py start` on its own folder."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
ADMIN_PASSWORD = "a long admin password"
START_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_database(url: str) -> str:
    """A new database on the PostgreSQL that the suite was given; "" where it was given none."""
    if not url.startswith("postgres"):
        return ""
    import psycopg

    name = f"omil_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


class Product:
    """Started on entry, stopped on exit. `env` adds to or replaces what the settings read."""

    def __init__(self, folder: Path, *, models: Path | None, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.lines: deque[str] = deque(maxlen=2_000)
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("OMIL_", "REDIS", "DATABASE"))
        }
        clean.pop("PROMETHEUS_MULTIPROC_DIR", None)
        self.env = {
            **clean,
            "PORT": str(self.port),
            "OMIL_DATA_DIR": str(folder),
            "OMIL_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "OMIL_POSE_MODEL": "none",  # What no test needs is neither fetched nor exported.
            "OMIL_FACE_DETECTOR": "none",
            "OMIL_FACE_EMBEDDER": "none",
            "DATABASE_URL": own_database(os.environ.get("DATABASE_URL", "")),
            **(env or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        if models:
            (folder / "models").symlink_to(models)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Product:
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "start"],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_until(lambda: any("Ctrl-C stops everything" in line for line in self.lines), START_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._process
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        if self._reader:
            self._reader.join(5)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_until(self, holds: Any, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert self._process
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"It did not come to that within {timeout_s:g} s:\n{self.output}")
            time.sleep(0.05)

    @contextmanager
    def database(self) -> Iterator[Any]:
        """A connection to its database behind its back (of sqlite3 or psycopg), without a transaction of its own."""
        if url := self.env["DATABASE_URL"]:
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                yield connection
        else:
            path = self.folder / "omil.sqlite3"
            with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
                yield connection

    def query(self, statement: str, *values: object) -> list[Any]:
        """Reads or changes its database; `?` stands for a value."""
        with self.database() as connection:
            if self.env["DATABASE_URL"]:
                statement = statement.replace("?", "%s")
            cursor = connection.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    # --- What a user does ---

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def add_camera(self, name: str) -> dict[str, Any]:
        added: dict[str, Any] = json.loads(self.manage("add_camera", name, "--json"))
        return added

    def enrol(self, camera: dict[str, Any]) -> dict[str, str]:
        """Opens the enrolment link as a browser does; returns the cookies it leaves."""
        with httpx.Client(follow_redirects=True) as browser:
            page = browser.get(camera["enrolment_url"])
            page.raise_for_status()
            token = browser.cookies[f"omil_csrf_{self.port}"]
            browser.post(camera["enrolment_url"], data={"csrfmiddlewaretoken": token}).raise_for_status()
            return dict(browser.cookies)

    def logged_in(self, name: str = "admin", password: str = ADMIN_PASSWORD) -> httpx.Client:
        browser = httpx.Client(base_url=self.url, follow_redirects=True)
        browser.get("/login/").raise_for_status()
        form = {
            "username": name,
            "password": password,
            "csrfmiddlewaretoken": browser.cookies[f"omil_csrf_{self.port}"],
        }
        answer = browser.post("/login/", data=form)
        answer.raise_for_status()
        assert f"omil_session_{self.port}" in browser.cookies, "the log-in failed"
        return browser

    # --- What a disaster does ---

    @property
    def process(self) -> psutil.Process | None:
        """The supervisor, while it runs."""
        return psutil.Process(self._process.pid) if self._process else None

    def processes(self, name: str) -> list[psutil.Process]:
        """The running processes of this part (a name of the Procfile)."""
        assert self.process
        found = []
        for child in self.process.children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if name in words[1:4] or (name == "valkey" and "valkey-server" in " ".join(words)):
                found.append(child)
        return found

    def kill(self, name: str) -> None:
        """kill -9 of this part; the supervisor is left to notice."""
        victims = self.processes(name)
        assert victims, f"nothing runs by the name of {name}"
        for victim in victims:
            victim.kill()
