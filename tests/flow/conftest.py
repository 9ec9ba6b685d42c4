"""One running product for the tests that only talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.flow.post import Post, Pulse, Site
from tests.product import Product

RECHECK_S = 3.0


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Site]:
    """The whole product with the real model; nobody kills anything in it."""
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_SOCKET_RECHECK_S": str(RECHECK_S)}
    with Product(tmp_path_factory.mktemp("site") / "var", models=models, env=env) as product, Site(product) as seen:
        yield seen


@pytest.fixture(scope="package")
def posts(site: Site) -> dict[str, Post]:
    names = ["neighbour", "frames", "large", "credit", "repeat", "twice", "flood", "notice", "timer", "off"]
    return dict(zip(names, site.posts(*(f"Gate {name}" for name in names)), strict=True))


@pytest.fixture
async def neighbour(site: Site, posts: dict[str, Post]) -> AsyncIterator[Pulse]:
    """Somebody else's camera, at ten pictures a second all the while."""
    async with site.capture(posts["neighbour"]) as line, Pulse(line) as pulse:
        yield pulse
