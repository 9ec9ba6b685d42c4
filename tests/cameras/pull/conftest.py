"""An ingest and a receiver of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from pytest_django import Settings

from cameras import node
from cameras.pull import feed
from tests.cameras.pull.ingesting import Pulled


@pytest.fixture
def quick_readers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A receiver of this test's own, and readers that lose their patience sooner."""
    settings.PULL_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(feed, "SILENT_S", 1.5)
    monkeypatch.setattr(feed, "STUCK_S", 4.0)
    node.receiver.cache_clear()
    yield
    node.receiver().threads.shutdown()
    node.receiver.cache_clear()


@pytest.fixture
async def pulled(valkey: str, quick_readers: None) -> AsyncIterator[Pulled]:
    pulled = Pulled()
    yield pulled
    await pulled.follow()
    ticker = node.receiver()._ticker
    if ticker:
        ticker.cancel()
