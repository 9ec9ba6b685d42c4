"""The live socket: tracks, visits, camera states and pictures to users who may watch the camera.

A viewer has at most one unacknowledged picture per camera and always gets the newest next, so a slow one slows nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.validators import slug_re
from django.db import Error as DatabaseFault
from django.db import close_old_connections

from accounts.gatekeeper import user_of
from accounts.models import User
from accounts.notices import RIGHTS_CHANGED, camera_group, user_group
from cameras import frames, metrics
from cameras import live as pictures
from cameras.frames import Frame
from cameras.sockets import Groups, Receive, Refused, Scope, Send, Socket, is_origin_allowed, until_first_ends
from detections.snapshot import CameraView, views_for

logger = logging.getLogger(__name__)

MAX_CAMERAS = 200
MAX_MESSAGE = 16_384
MAX_BAD_MESSAGES = 20
# An admitted picture waits so long for its boxes before it is shown without.
BOXES_WAIT_S = 0.5


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/live/."""
    await receive()  # websocket.connect
    socket = Socket(scope, send)
    await socket.accept()
    viewer = None
    try:
        if not is_origin_allowed(scope):
            raise Refused(4403, "wrong_origin", "This socket serves only pages of this site.")
        user = await sync_to_async(_user_of)(scope)
        if user is None:
            raise Refused(4401, "not_logged_in", "Log in to watch.")
        viewer = Viewer(socket, user.pk, receive)
        await viewer.run()
    except Refused as refused:
        await socket.refuse(refused)
    finally:
        if viewer:
            viewer.leave()


def _user_of(scope: Scope) -> User | None:
    """Leaves no connection open: one that the server has closed meanwhile would fail every later look."""
    try:
        return user_of(scope)
    finally:
        close_old_connections()


def is_slug(name: object) -> bool:
    """Whether a camera could be called so; half a surrogate or a zero would fail in the database."""
    return isinstance(name, str) and slug_re.fullmatch(name) is not None


@dataclass(slots=True)
class Watched:
    """One camera of a viewer: the picture under way, and the newest that waits for it."""

    view: CameraView
    listener: Any
    unacknowledged: int | None = None
    next: Frame | None = None
    without_boxes: Frame | None = None
    sent_at_seq: tuple[str, int] = ("", -1)
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Viewer:
    """One open live socket."""

    socket: Socket
    user_id: int
    receive: Receive
    watched: dict[str, Watched] = field(default_factory=dict)
    wanted: list[str] = field(default_factory=list)
    with_pictures: bool = False
    out: asyncio.Event = field(default_factory=asyncio.Event)
    recheck: asyncio.Event = field(default_factory=asyncio.Event)
    groups: Groups = field(init=False)
    is_counted: bool = False

    def __post_init__(self) -> None:
        self.groups = Groups(self._told)

    async def run(self) -> None:
        metrics.VIEWERS.inc()
        self.is_counted = True
        self.groups.set({user_group(self.user_id)})
        await until_first_ends(self._read(), self._send_pictures(), self.groups.listen(), self._prove())

    def leave(self) -> None:
        if self.is_counted:
            metrics.VIEWERS.dec()
        for slug in list(self.watched):
            self._drop(slug)

    # --- In ---

    async def _read(self) -> None:
        bad = 0
        while True:
            event = await self.receive()
            if event["type"] == "websocket.disconnect":
                self.socket.is_closed = True
                return
            if problem := await self._take(event.get("text")):
                bad += 1
                await self.socket.error(*problem)
                if bad >= MAX_BAD_MESSAGES:
                    raise Refused(1008, "too_many_bad_messages", "Too many bad messages.")

    async def _take(self, text: str | None) -> tuple[str, str] | None:
        """Does what the message asks; returns what is wrong with it, or None."""
        if text is None or len(text) > MAX_MESSAGE:
            return "not_text", "Messages are JSON texts of moderate length."
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return "not_json", "This is not JSON."
        match message:
            case {"type": "watch", "cameras": list(cameras)} if all(is_slug(slug) for slug in cameras):
                if len(cameras) > MAX_CAMERAS:
                    return "too_many_cameras", f"At most {MAX_CAMERAS} cameras at once."
                self.wanted = list(dict.fromkeys(cameras))
                self.with_pictures = bool(message.get("pictures", False))
                return await self._watch()
            case {"type": "ack", "camera": str(slug), "seq": int(seq)}:
                self._acknowledged(slug, seq)
                return None
            case {"type": str(kind)}:
                return "bad_message", f"Unknown or incomplete message {kind[:40]!r}."
        return "bad_message", "A message is an object with a type."

    async def _watch(self) -> tuple[str, str] | None:
        """Watches exactly the wanted cameras that the user may see, and sends how each of them is now."""
        views = await sync_to_async(views_for)(self.user_id, self.wanted)
        for slug in set(self.watched) - set(views):
            self._drop(slug)
        for slug, view in views.items():
            if slug not in self.watched:
                self._add(slug, view, await asyncio.to_thread(pictures.newest, view.camera_id))
            await self.socket.send_json(view.status)
            for visit in view.visits:
                await self.socket.send_json(visit)
        self.groups.set({user_group(self.user_id), *(camera_group(view.camera_id) for view in views.values())})
        missing = [slug for slug in self.wanted if slug not in views]
        return ("not_found", f"No such camera: {', '.join(missing)[:200]}") if missing else None

    def _add(self, slug: str, view: CameraView, newest: Frame | None) -> None:
        if slug in self.watched:  # Another look was faster.
            return
        listener = partial(self._pictured, slug)
        self.watched[slug] = Watched(view, listener)
        pictures.subscribe(view.camera_id, listener)
        if newest:
            self._offer(slug, newest)

    def _drop(self, slug: str) -> None:
        watched = self.watched.pop(slug)
        pictures.unsubscribe(watched.view.camera_id, watched.listener)
        if watched.timer:
            watched.timer.cancel()

    # --- Pictures ---

    def _pictured(self, slug: str, frame: Frame, admitted: bool) -> None:
        """A frame came in. A refused one is shown at once, an admitted one with its boxes or a little later without."""
        if not self.with_pictures:
            return
        if not admitted:
            self._offer(slug, frame)
            return
        watched = self.watched[slug]
        watched.without_boxes = frame
        if watched.timer is None:
            watched.timer = asyncio.get_running_loop().call_later(BOXES_WAIT_S, self._waited, slug, frame)

    def _waited(self, slug: str, frame: Frame) -> None:
        if watched := self.watched.get(slug):
            watched.timer = None
            if watched.without_boxes and not self._is_shown(watched, frame):
                self._offer(slug, frame)
            newer = watched.without_boxes
            if newer and newer is not frame and not self._is_shown(watched, newer):
                watched.timer = asyncio.get_running_loop().call_later(BOXES_WAIT_S, self._waited, slug, newer)

    @staticmethod
    def _is_shown(watched: Watched, frame: Frame) -> bool:
        stream, seq = watched.sent_at_seq
        return stream == frame.stream and seq >= frame.seq

    def _offer(self, slug: str, frame: Frame) -> None:
        watched = self.watched[slug]
        if not self._is_shown(watched, frame):
            watched.next = frame  # Newest wins: what waited is not sent any more.
            self.out.set()

    def _acknowledged(self, slug: str, seq: int) -> None:
        if (watched := self.watched.get(slug)) and watched.unacknowledged == seq:
            watched.unacknowledged = None
            self.out.set()

    async def _send_pictures(self) -> None:
        while True:
            await self.out.wait()
            self.out.clear()
            for slug, watched in list(self.watched.items()):
                if self.with_pictures and watched.next and watched.unacknowledged is None:
                    frame, watched.next = watched.next, None
                    watched.unacknowledged = frame.seq
                    watched.sent_at_seq = (frame.stream, frame.seq)
                    name = slug.encode()
                    header = frames.header(frame.seq, frame.captured_at)
                    await self.socket.send_bytes(bytes([len(name)]) + name + header + frame.jpeg)

    # --- Messages of the cameras ---

    async def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == RIGHTS_CHANGED:
            self.recheck.set()
            return
        watched = self.watched.get(message.get("camera", ""))
        if watched is None:
            return
        match message["type"]:
            case "camera.frame":
                await self.socket.send_json(message["tracks"])
                frame = pictures.find(watched.view.camera_id, message["stream"], message["tracks"]["seq"])
                if frame and self.with_pictures:
                    self._offer(message["camera"], frame)
            case "camera.visit":
                await self.socket.send_json(message["visit"])
            case "camera.status":
                await self.socket.send_json(message["status"])
            case "camera.recording":
                await self.socket.send_json(message["recording"])

    async def _prove(self) -> None:
        """Looks at the user's rights again on a timer and when told that they changed. Raises Refused."""
        while True:
            with suppress(TimeoutError):  # Not wait_for: before Python 3.12 it may take a cancellation for an answer.
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await self.recheck.wait()
            is_told = self.recheck.is_set()
            self.recheck.clear()
            try:
                await self._prove_once(is_told=is_told)
            except DatabaseFault as error:  # Pictures go on without a database; the next look will tell.
                logger.warning("user %d: rights could not be looked at: %s", self.user_id, error)

    async def _prove_once(self, *, is_told: bool) -> None:
        user = await sync_to_async(_user_of)(self.socket.scope)
        if user is None or user.pk != self.user_id:
            raise Refused(4401, "session_ended", "Your session has ended. Log in again.")
        views = await sync_to_async(views_for)(self.user_id, list(self.watched), details=False)
        if (is_told or set(views) != set(self.watched)) and (problem := await self._watch()):
            await self.socket.error(*problem)
