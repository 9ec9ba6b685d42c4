"""Tells open sockets that rights have changed; models, log-out and enrolment call it, consumers listen.

A notice only makes a socket look at its rights again. It may get lost: the sockets' own timer is the backstop.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

SEND_TIMEOUT_S = 2.0
RIGHTS_CHANGED = "rights.changed"

logger = logging.getLogger(__name__)


def user_group(user_id: int) -> str:
    """The channel group of every socket this user has open."""
    return f"user.{user_id}"


def camera_group(camera_id: int) -> str:
    """The channel group of every socket that feeds or shows this camera."""
    return f"camera.{camera_id}"


def rights_changed(*, user_id: int | None = None, camera_id: int | None = None) -> None:
    """Asks the sockets of this user, or of this camera, to prove their rights once the change is committed."""
    groups = [
        *([user_group(user_id)] if user_id is not None else []),
        *([camera_group(camera_id)] if camera_id is not None else []),
    ]
    for group in groups:
        transaction.on_commit(partial(_tell, group))


def _tell(group: str) -> None:
    try:
        async_to_sync(_send)(group)
    except Exception as error:  # Whatever the layer's client raises: a lost notice must not fail the change.
        logger.warning("No notice to %s (%s): its sockets learn of the change at their next check.", group, error)


async def _send(group: str) -> None:
    layer = get_channel_layer()
    if layer is not None:
        await asyncio.wait_for(layer.group_send(group, {"type": RIGHTS_CHANGED}), SEND_TIMEOUT_S)
