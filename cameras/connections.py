"""Database connections of the processes that work all the time; web opens one per request, as ASGI wants it."""

from __future__ import annotations

from django.db import connections

KEPT_S = 60


def keep() -> None:
    """From now on this process keeps its connections for a while: opening one costs more than what is asked most often.

    One that has failed is replaced at the next `close_old_connections`, as before.
    """
    for about in connections.settings.values():
        about["CONN_MAX_AGE"] = KEPT_S
        about["CONN_HEALTH_CHECKS"] = True
