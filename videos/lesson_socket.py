"""The lesson socket: a learner's pictures in, how they compare out, until the video or the page ends.

hello → welcome, start → started, each picture → one `result`, end → `ended` with totals and the result's address. One
picture is looked at and at most one waits; a newer one puts it off, and it is answered as `busy`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFault

from accounts.notices import RIGHTS_CHANGED, user_group
from cameras.sockets import Groups, Receive, Refused, Scope, Send, Socket, is_origin_allowed, until_first_ends
from videos import lesson_door, lesson_eye, lesson_frames, similarity
from videos.lesson_door import Found
from videos.lesson_frames import BadPicture, Picture
from videos.reference import Judge
from videos.shares import percents

logger = logging.getLogger(__name__)

PROTOCOL = 1
JUDGED = ("perfect", "good", "miss")
PER_S = 5  # Pictures that the page sends; answered are up to twice as many.
MOST_PER_S = 10
CREDIT = 2
LEARNERS = 8  # Of one web process at once: more, and none of them would be told in time.
MAX_MESSAGE = 4_096
MAX_BAD_MESSAGES = 20
LATEST_S = 2.0  # After the reference's end.
LAST_S = 3.0  # For the last pictures to be judged.

_learning: set[int] = set()  # Sockets that have a place.


async def lesson(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/lesson/<id>/."""
    await receive()  # websocket.connect
    socket = Socket(scope, send)
    await socket.accept()
    learner = None
    try:
        if not is_origin_allowed(scope):
            raise Refused(4403, "wrong_origin", "This socket serves only pages of this site.")
        found = await sync_to_async(lesson_door.find, thread_sensitive=False)(scope, scope["url_route"]["kwargs"]["id"])
        if len(_learning) >= LEARNERS:
            raise Refused(4429, "full", "Too many lessons go on at once. Try again later.")
        learner = Learner(socket, receive, found)
        _learning.add(id(learner))
        await learner.run()
    except Refused as refused:
        await socket.refuse(refused)
    finally:
        if learner:
            _learning.discard(id(learner))
            await learner.leave()


@dataclass(slots=True)
class Learner:
    """One open lesson socket."""

    socket: Socket
    receive: Receive
    found: Found
    is_greeted: bool = False
    run_id: UUID | None = None
    judge: Judge | None = None
    last: tuple[int, float] = (-1, -1.0)  # Sequence number and time of the newest picture taken.
    waiting: Picture | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    judged: asyncio.Event = field(default_factory=asyncio.Event)  # Nothing waits and nothing is looked at.
    recheck: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        self.groups = Groups(self._told)

    async def run(self) -> None:
        self.groups.set({user_group(self.found.user_id)})
        await until_first_ends(self._read(), self._judge(), self.groups.listen(), self._prove())

    async def leave(self) -> None:
        """Whatever ended the socket: what was judged is kept."""
        run_id, judge, self.run_id = self.run_id, self.judge, None
        if run_id and judge:
            await asyncio.shield(sync_to_async(lesson_door.finish)(run_id, judge, self.is_over))

    # --- In ---

    async def _read(self) -> None:
        bad = 0
        while True:
            event = await self.receive()
            if event["type"] == "websocket.disconnect":
                self.socket.is_closed = True
                return
            data = event.get("bytes")
            problem = await (self._take(data) if data is not None else self._obey(event.get("text") or ""))
            if self.is_over:
                return
            if problem:
                bad += 1
                await self.socket.error(*problem)
                if bad >= MAX_BAD_MESSAGES:
                    raise Refused(1008, "too_many_bad_messages", "Too many bad messages.")

    async def _obey(self, text: str) -> tuple[str, str] | None:
        if len(text) > MAX_MESSAGE:
            return "too_long", "Messages are JSON texts of moderate length."
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return "not_json", "This is not JSON."
        match message:
            case {"type": "hello", "protocol": 1}:
                await self._welcome()
                return None
            case {"type": "hello"}:
                raise Refused(4400, "wrong_protocol", f"This server speaks protocol {PROTOCOL}.")
            case {"type": "start"} if self.is_greeted:
                return await self._start()
            case {"type": "end"} if self.run_id:
                await self._end()
                return None
            case {"type": "start" | "end"}:
                return "out_of_order", "First comes hello, then start, then pictures, then end."
        return "bad_message", "A message is an object with a known type."

    async def _welcome(self) -> None:
        if not await lesson_eye.is_ready():
            raise Refused(4503, "no_model", "There is no model that finds poses. An administrator can add one.")
        self.is_greeted = True
        await self.socket.send_json(
            {
                "type": "welcome",
                "protocol": PROTOCOL,
                "lesson": str(self.found.lesson_id),
                "title": self.found.title,
                "duration_s": self.found.duration_s,
                "per_s": PER_S,
                "credit": CREDIT,
                "max_bytes": lesson_frames.MOST_BYTES,
            }
        )

    async def _start(self) -> tuple[str, str] | None:
        if self.run_id:
            return "out_of_order", "This run goes on already."
        run_id = await sync_to_async(lesson_door.begin)(self.found)
        self.judge, self.run_id = Judge(self.found.reference), run_id
        self.judged.set()
        await self.socket.send_json({"type": "started", "run": str(run_id)})
        return None

    async def _take(self, message: bytes) -> tuple[str, str] | None:
        try:
            picture = lesson_frames.parse(message)
        except BadPicture as bad:
            return bad.code, f"Picture {bad.seq} cannot be read." if bad.seq is not None else "This is no picture."
        if self.run_id is None or picture.run != self.run_id:
            return "wrong_run", "This picture belongs to no run of this socket."
        seq, at_s = self.last
        if picture.seq <= seq or picture.at_s > self.found.duration_s + LATEST_S:
            return "out_of_order", f"Picture {picture.seq} is out of its order or after the end."
        if picture.at_s < at_s:
            return "out_of_order", f"Picture {picture.seq} is of an earlier time."
        if at_s >= 0 and picture.at_s - at_s < 1 / MOST_PER_S - 0.02:
            await self._answer(picture, "busy")
            return None
        self.last = (picture.seq, picture.at_s)
        put_off, self.waiting = self.waiting, picture
        self.judged.clear()
        self.arrived.set()
        if put_off:
            await self._answer(put_off, "busy")
        return None

    # --- Out ---

    async def _judge(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            picture, self.waiting = self.waiting, None
            if picture is None or self.judge is None:
                continue
            await self._judge_one(self.judge, picture)
            if self.waiting is None:
                self.judged.set()

    async def _judge_one(self, judge: Judge, picture: Picture) -> None:
        try:
            points, size_wh = await lesson_eye.look(picture.jpeg)
        except BadPicture as bad:
            await self._answer(picture, "invalid", reason=bad.code)
            return
        verdict, distance = judge.take(picture.at_s, points)
        shown = None if points is None else (points / (*size_wh, 1)).round(4).tolist()
        await self._answer(picture, verdict, distance=distance, points=shown)

    async def _answer(self, picture: Picture, verdict: str, *, distance: float | None = None, **more: Any) -> None:
        assert self.judge
        await self.socket.send_json(
            {
                "type": "result",
                "run": str(picture.run),
                "seq": picture.seq,
                "at_s": picture.at_s,
                "verdict": verdict,
                "distance": distance,
                "similarity": None if distance is None else round(similarity.similarity(distance), 4),
                "totals": self.judge.totals(),
                **more,
            }
        )

    async def _end(self) -> None:
        """The rest is judged, the result is written, and only then the socket closes."""
        assert self.run_id
        assert self.judge
        run_id, judge = self.run_id, self.judge
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self.judged.wait()
        self.is_over, self.run_id = True, None
        await sync_to_async(lesson_door.finish)(run_id, judge, True)
        kept = f"/lessons/runs/{run_id}/" if judge.moments else None
        totals = judge.totals()
        shares = dict(zip(JUDGED, percents([totals[verdict] for verdict in JUDGED]), strict=True))
        await self.socket.send_json(
            {"type": "ended", "run": str(run_id), "totals": totals, "percents": shares, "url": kept}
        )
        await self.socket.close(1000)

    # --- Rights ---

    async def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == RIGHTS_CHANGED:
            self.recheck.set()

    async def _prove(self) -> None:
        """Looks at the user's rights again on a timer and when told that they changed. Raises Refused."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await self.recheck.wait()
            self.recheck.clear()
            try:
                await sync_to_async(lesson_door.prove)(self.socket.scope, self.found)
            except DatabaseFault as error:
                logger.warning("user %d: rights could not be looked at: %s", self.found.user_id, error)
