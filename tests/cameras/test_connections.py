"""A process that works all the time opens its database once; web, which serves requests, does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import close_old_connections, connection, connections

from cameras.connections import keep
from cameras.models import Camera

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keeping() -> Iterator[None]:
    before = {alias: dict(about) for alias, about in connections.settings.items()}
    connection.close()
    keep()
    yield
    connection.close()
    for alias, about in before.items():
        connections.settings[alias].update(about)


def test_it_is_kept_from_one_piece_of_work_to_the_next(keeping: None) -> None:
    assert not Camera.objects.exists()
    opened = connection.connection
    close_old_connections()
    assert not Camera.objects.exists()
    assert connection.connection is opened


def test_web_keeps_none() -> None:
    assert not Camera.objects.exists()
    close_old_connections()
    assert connection.connection is None
