"""The capture socket: frames in, acknowledgements out. Each frame is read, judged in a thread and answered in order."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFault

from accounts.notices import RIGHTS_CHANGED, camera_group, user_group
from cameras import access, frames, live, metrics
from cameras.access import Sender
from cameras.entries import Kind
from cameras.frames import BadFrame, Frame
from cameras.node import Answer, receiver
from cameras.pace import Pace
from cameras.sockets import Groups, Receive, Refused, Scope, Send, Socket, is_origin_allowed, until_first_ends

if TYPE_CHECKING:
    from cameras.intake import Intake

logger = logging.getLogger(__name__)

PROTOCOL = 1
HELLO_S = 10.0
BUSY_EVERY_S = 0.05
MESSAGE_TOO_BIG = 1009
MOST_RETRIED = 1_024  # Busy frames that a source may send again; a page does so within 30 seconds or never.

# The connection that feeds each camera in this process.
_sources: dict[int, Capture] = {}


async def capture(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/capture/<slug>/."""
    await receive()  # websocket.connect
    socket = Socket(scope, send)
    await socket.accept()
    source: Capture | None = None
    try:
        if not is_origin_allowed(scope):
            raise Refused(4403, "wrong_origin", "This socket serves only pages of this site.")
        sender = await _admit(scope)
        source = Capture(socket, sender, receive)
        await source.run()
    except Refused as refused:
        metrics.SOCKETS_REFUSED.labels(refused.code).inc()
        await socket.refuse(refused)
    finally:
        if source:
            source.leave()


async def _admit(scope: Scope) -> Sender:
    slug = scope["url_route"]["kwargs"]["slug"]
    return await sync_to_async(access.admit, thread_sensitive=True)(scope, slug)


class Capture:
    """One source's connection, from its hello to its end."""

    def __init__(self, socket: Socket, sender: Sender, receive: Receive) -> None:
        self.socket = socket
        self.sender = sender
        self.stream = ""
        self._receive = receive
        self._intake: Intake | None = None
        self._pace = Pace(sender.target_fps, settings.CREDIT)
        self._unanswered: asyncio.Queue[Frame] = asyncio.Queue()
        self._taken = 0  # Frames under way, which the client counts against its credit.
        self._newest_seq = -1
        self._last_busy_at = 0.0
        self._retried: dict[int, None] = {}  # Oldest first.
        self._excess = 0  # Of bad messages over good ones.
        self._groups = Groups(self._told)
        self._recheck = asyncio.Event()
        self._newer_came = asyncio.Event()

    async def run(self) -> None:
        hello = await self._hello()
        receiver().start()
        self._intake = await asyncio.get_running_loop().run_in_executor(
            receiver().threads, receiver().intake, self.sender.camera_id
        )
        self._take_over()
        self.stream = hello
        metrics.SOCKETS.inc()
        await self.socket.send_json(
            {
                "type": "welcome",
                "camera": self.sender.slug,
                "name": self.sender.name,
                "last_seq": self._intake.last_seq(self.stream),
                "credit": self._pace.credit,
                "target_fps": self._pace.fps,
                "max_bytes": settings.MAX_FRAME_BYTES,
                "server_time": time.time(),
                **self.sender.masks.message(),
            }
        )
        self._groups.set(self._group_names())
        await until_first_ends(
            self._read(), self._answer(), self._groups.listen(), self._prove(), self._until_taken_over()
        )

    def leave(self) -> None:
        if self.stream:
            metrics.SOCKETS.dec()
        if _sources.get(self.sender.camera_id) is self:
            del _sources[self.sender.camera_id]

    def _take_over(self) -> None:
        """The newest authorised connection feeds the camera."""
        older = _sources.get(self.sender.camera_id)
        _sources[self.sender.camera_id] = self
        if older:
            older._newer_came.set()

    async def _until_taken_over(self) -> None:
        await self._newer_came.wait()
        raise Refused(4409, "taken_over", "Another page now serves as this camera.")

    # --- In ---

    async def _hello(self) -> str:
        """The stream that the client names."""
        try:
            event = await asyncio.wait_for(self._receive(), HELLO_S)
        except TimeoutError:
            raise Refused(4400, "no_hello", f"No hello within {HELLO_S:.0f} seconds.") from None
        if event["type"] == "websocket.disconnect":
            self._note_end(event)
            raise Refused(1000, "no_hello", "Gone before its hello.")
        hello = _json(event.get("text"))
        if hello is None or hello.get("type") != "hello":
            raise Refused(4400, "no_hello", "The first message must be a hello.")
        stream = hello.get("stream")
        if hello.get("protocol") != PROTOCOL:
            raise Refused(4400, "wrong_protocol", f"This server speaks protocol {PROTOCOL}.")
        if not (isinstance(stream, str) and len(stream) == 32 and set(stream) <= set("0123456789abcdef")):
            raise Refused(4400, "bad_stream", "A stream is named by 32 lower-case hexadecimal digits.")
        return stream

    async def _read(self) -> None:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._note_end(event)
                return
            if (data := event.get("bytes")) is None:
                await self._bad(None, "not_binary", "Frames are binary messages.")
            else:
                await self._take(data)

    def _note_end(self, event: dict[str, Any]) -> None:
        self.socket.is_closed = True
        if event.get("code") == MESSAGE_TOO_BIG:
            metrics.SOCKETS_REFUSED.labels("message_too_large").inc()
            if self._intake:
                self._count_bad("message_too_large")

    async def _take(self, data: bytes) -> None:
        """Checks what needs no decoding, then puts the frame in line."""
        now = time.time()
        try:
            frame = frames.parse(
                data,
                camera_id=self.sender.camera_id,
                stream=self.stream,
                received_at=now,
                max_bytes=settings.MAX_FRAME_BYTES,
            )
        except BadFrame as bad:
            await self._bad(bad.seq, bad.reason, "This message is not a frame.")
            return
        if self._taken >= settings.CREDIT:
            await self._bad(frame.seq, "over_credit", "More frames than the credit allows.")
        elif frame.seq <= self._newest_seq and frame.seq not in self._retried:
            await self._bad(frame.seq, "disorder", "Frames of one connection come in order.")
        else:
            self._newest_seq = max(self._newest_seq, frame.seq)
            self._taken += 1
            self._unanswered.put_nowait(frame)

    async def _bad(self, seq: int | None, reason: str, detail: str) -> None:
        """Answers, counts and survives a bad message."""
        self._count_bad(reason)
        if seq is None:
            await self.socket.error(reason, detail)
        else:
            await self._acknowledge(Answer(seq, "invalid", reason))
        self._weigh(is_bad=True)

    def _count_bad(self, reason: str) -> None:
        assert self._intake is not None
        self._intake.count_bad(Kind.INVALID, reason, now=time.time())
        metrics.FRAMES.labels(self.sender.slug, "invalid", reason).inc()

    def _weigh(self, *, is_bad: bool) -> None:
        """Closes on a client whose bad messages outnumber its good ones: a few good ones among them buy no flood."""
        self._excess = self._excess + 1 if is_bad else max(0, self._excess - 1)
        if self._excess >= settings.MAX_BAD_FRAMES:
            raise Refused(1008, "too_many_bad_frames", f"{self._excess} bad messages more than good ones.")

    # --- Out ---

    async def _answer(self) -> None:
        """Judges the frames in line one at a time, so that verdicts and acknowledgements keep their order."""
        loop = asyncio.get_running_loop()
        while True:
            frame = await self._unanswered.get()
            # It goes on to its end, and counts, where the socket closes meanwhile.
            answer = await loop.run_in_executor(receiver().threads, receiver().judge, frame, self.sender.slug)
            self._taken -= 1
            await self._done(frame, answer)

    async def _done(self, frame: Frame, answer: Answer) -> None:
        is_busy, is_invalid = answer.verdict == "busy", answer.verdict == "invalid"
        self._retried.pop(frame.seq, None)
        if is_busy:
            await self._hold_back()
            self._retried[frame.seq] = None
            while len(self._retried) > MOST_RETRIED:
                del self._retried[next(iter(self._retried))]
        self._pace.answered(busy=is_busy, now=asyncio.get_running_loop().time())
        await self._acknowledge(answer)
        metrics.ACK_SECONDS.observe(time.time() - frame.received_at)
        kept = answer.kept or frame
        # Judged by masks that have changed since, it is not shown any more.
        if not (answer.is_repeat or is_invalid) and self._intake and self._intake.guard.holds(kept):
            live.publish(kept, admitted=answer.verdict == "admitted")
        self._weigh(is_bad=is_invalid)

    async def _hold_back(self) -> None:
        """A source that goes on sending though it is told busy is answered twenty times a second, or it would take the
        machine away from what is to make it less busy. A page at its rate never waits here."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last_busy_at + BUSY_EVERY_S - loop.time()))
        self._last_busy_at = loop.time()

    async def _acknowledge(self, answer: Answer) -> None:
        await self.socket.send_json(
            {
                "type": "ack",
                "seq": answer.seq,
                "verdict": answer.verdict,
                "reason": answer.reason,
                "credit": self._pace.credit,
                "target_fps": round(self._pace.fps, 2),
            }
        )

    # --- Beside the frames ---

    def _group_names(self) -> set[str]:
        names = {camera_group(self.sender.camera_id)}
        return names | {user_group(self.sender.user_id)} if self.sender.user_id is not None else names

    async def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == RIGHTS_CHANGED:
            self._recheck.set()
        elif message["type"] == "camera.frame" and message.get("stream") == self.stream:
            await self.socket.send_json(
                {"type": "result", "seq": message["tracks"]["seq"], "visits": message["visits"]}
            )

    async def _prove(self) -> None:
        """Looks at the source's rights again on a timer and when told that they changed. Raises Refused."""
        while True:
            with suppress(TimeoutError):  # Not wait_for: before Python 3.12 it may take a cancellation for an answer.
                async with asyncio.timeout(settings.SOCKET_RECHECK_S):
                    await self._recheck.wait()
            self._recheck.clear()
            try:
                before, self.sender = self.sender, await _admit(self.socket.scope)
            except DatabaseFault as error:  # Frames go on without a database; the next look will tell.
                logger.warning("camera %d: rights could not be looked at: %s", self.sender.camera_id, error)
            else:
                self._pace.wanted_fps = self.sender.target_fps
                if self.sender.masks != before.masks:
                    await self.socket.send_json({"type": "masks", **self.sender.masks.message()})


def _json(text: str | None) -> dict[str, Any] | None:
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
