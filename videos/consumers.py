"""The socket of /ws/videos/: how far the videos of a user's units are, as it happens."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import close_old_connections

from accounts.gatekeeper import user_of
from accounts.models import Unit, User
from accounts.notices import RIGHTS_CHANGED, user_group
from cameras.sockets import Groups, Receive, Refused, Scope, Send, Socket, is_origin_allowed, until_first_ends
from videos.announce import LAYER_TYPE, group

logger = logging.getLogger(__name__)

MOST_MESSAGES = 100  # Of a client, which has nothing to say.


async def videos(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/videos/."""
    await receive()  # websocket.connect
    socket = Socket(scope, send)
    await socket.accept()
    try:
        if not is_origin_allowed(scope):
            raise Refused(4403, "wrong_origin", "This socket serves only pages of this site.")
        watcher = Watcher(socket, receive)
        await watcher.prove()
        await until_first_ends(watcher.read(), watcher.groups.listen(), watcher.keep_proving())
    except Refused as refused:
        await socket.refuse(refused)


def _units_of(scope: Scope) -> tuple[User | None, set[int]]:
    try:
        user = user_of(scope)
        return user, set(Unit.objects.watchable_by(user).values_list("pk", flat=True)) if user else set()
    finally:
        close_old_connections()


@dataclass(slots=True)
class Watcher:
    """One open socket; its units are those that the last proof found."""

    socket: Socket
    receive: Receive
    units: set[int] = field(default_factory=set)
    user_id: int | None = None
    recheck: asyncio.Event = field(default_factory=asyncio.Event)
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        self.groups = Groups(self._told)

    async def prove(self) -> None:
        """Raises Refused."""
        user, units = await sync_to_async(_units_of)(self.socket.scope)
        if user is None or self.user_id not in {None, user.pk}:
            raise Refused(4401, "not_logged_in", "Log in to watch.")
        self.user_id, self.units = user.pk, units
        self.groups.set({user_group(user.pk), *(group(unit) for unit in units)})

    async def keep_proving(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await self.recheck.wait()
            self.recheck.clear()
            try:
                await self.prove()
            except DatabaseFault as error:
                logger.warning("user %s: rights could not be looked at: %s", self.user_id, error)

    async def read(self) -> None:
        for _message in range(MOST_MESSAGES):
            event = await self.receive()
            if event["type"] == "websocket.disconnect":
                self.socket.is_closed = True
                return
        raise Refused(1008, "too_many_bad_messages", "This socket takes no messages.")

    async def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == RIGHTS_CHANGED:
            self.recheck.set()
        elif message["type"] == LAYER_TYPE and message["unit"] in self.units:
            await self.socket.send_json(message["video"])
