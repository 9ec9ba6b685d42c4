"""Whether anybody waits for events, so that they are looked for often; open streams say so through Valkey."""

from __future__ import annotations

import redis
from django.conf import settings

from api.models import Webhook
from cameras import bell

HOLDS_S = 30


def _key() -> str:
    return f"omil:{settings.NODE}:events-wanted"


def show() -> None:
    """For half a minute. Raises RedisError."""
    bell.connection().set(_key(), 1, ex=HOLDS_S)


def is_there() -> bool:
    """Without Valkey it is not known, and therefore yes."""
    if Webhook.objects.filter(is_enabled=True).exists():
        return True
    try:
        return bool(bell.connection().exists(_key()))
    except redis.RedisError:
        return True
