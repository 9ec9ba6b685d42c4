"""Fixtures of stores: the same test runs with files on a disk, and in an S3-compatible store that really answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
import pytest
from django.conf import settings as conf
from django.core.files.storage import storages
from pytest_django import Settings

from omil import store

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

KEY, SECRET = "storekey", "store-secret-that-nobody-sees"


class Kept(Protocol):
    """Where a test's files lie."""

    is_far: bool

    def away(self) -> AbstractContextManager[None]:
        """Nothing can be read or written meanwhile."""


class OnDisk:
    is_far = False

    @contextmanager
    def away(self) -> Iterator[None]:
        """A file lies where the folder was."""
        roots = [Path(conf.VIDEOS_DIR), Path(conf.DATA_DIR) / "profiles"]
        for root in roots:
            root.mkdir(parents=True, exist_ok=True)
            root.rename(root.with_suffix(".away"))
            root.touch()
        try:
            yield
        finally:
            for root in roots:
                root.unlink()
                root.with_suffix(".away").rename(root)


@dataclass
class InBucket:
    server: ThreadedMotoServer
    bucket: str
    endpoint: str
    is_far = True

    @contextmanager
    def away(self) -> Iterator[None]:
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    @property
    def address(self) -> str:
        """As OMIL_STORE."""
        return f"s3://{self.bucket}/site?endpoint={self.endpoint}&region=us-east-1"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ThreadedMotoServer]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    server._ip_address, server._port = host, port  # Started again, it is where it was.
    yield server
    server.stop()


@pytest.fixture
def in_bucket(s3_server: ThreadedMotoServer, settings: Settings) -> InBucket:
    """A bucket of this test's own, which the settings name."""
    host, port = s3_server.get_host_and_port()
    made = InBucket(s3_server, f"omil-{uuid.uuid4().hex}", f"http://{host}:{port}")
    client = boto3.client(
        "s3", endpoint_url=made.endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    client.create_bucket(Bucket=made.bucket)
    settings.STORE = store.parsed(made.address, KEY, SECRET)
    backends = store.backends(settings.STORE, videos=Path(), profiles=Path())
    settings.STORAGES = {**settings.STORAGES, **backends}
    return made


@pytest.fixture(params=["disk", "s3"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """On a disk, then in a store."""
    found: Kept = request.getfixturevalue("in_bucket") if request.param == "s3" else OnDisk()
    return found


def kept_names(alias: str, folder: str = "") -> list[str]:
    """Every file of a store."""
    try:
        folders, files = storages[alias].listdir(folder)
    except FileNotFoundError:
        return []
    begin = f"{folder}/" if folder else ""
    inner = [name for each in folders for name in kept_names(alias, f"{begin}{each}")]
    return sorted([*(f"{begin}{name}" for name in files), *inner])


def content_of(alias: str, name: str) -> bytes:
    with storages[alias].open(name) as file:
        return bytes(file.read())
