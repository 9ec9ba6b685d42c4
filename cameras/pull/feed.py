"""One pulled camera in ingest: keeps a reader running, and gives its newest picture to the gate.

Two tasks. One reads the reader's messages as they come, so that it never waits, and keeps one picture: a newer one
takes the place of one that the gate has not come to. The other gives them to the camera's intake, one at a time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.conf import settings

from cameras import folders, metrics
from cameras.frames import Frame
from cameras.node import Answer, receiver
from cameras.pace import Pace
from cameras.pull import problems, process, wire
from cameras.pull.backoff import Backoff
from cameras.pull.problems import Standing
from cameras.pull.process import Crashed, ReaderProcess, Stuck
from cameras.pull.source import Settings
from cameras.pull.wire import Message, State
from cameras.zones import NO_MASKS, Masks, wire_version

logger = logging.getLogger(__name__)

SILENT_S = 10.0
STUCK_S = 13.0  # A reader says something oftener: it gives up on a silent source, and waits no longer, before that.
FOR_EVER_S = 10 * 365 * 86_400.0
BUSY_EVERY_S = 0.05
BAD_ENOUGH = 5  # Pictures in a row that are none.
QUIET_AFTER_S = 5.0  # Of refused pictures, after which decoding less would do.

Publish = Callable[[Frame, bool], None]
TakePackets = Callable[[int, Message], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a camera's row asks for. A change of the rate is told to the reader; any other change starts a new one."""

    camera_id: int
    slug: str
    source: str
    fps: float
    masks: Masks = NO_MASKS

    def is_same_source(self, other: Wanted) -> bool:
        return replace(self, fps=0, slug="") == replace(other, fps=0, slug="")

    def for_reader(self) -> Settings:
        return Settings(
            camera_id=self.camera_id,
            source=self.source,
            fps=self.fps,
            masks=self.masks.polygons,
            allow=tuple(settings.PULL_ALLOW),
            ca=str(settings.PULL_CA or ""),
            max_bytes=settings.MAX_FRAME_BYTES,
            max_pixels=settings.MAX_FRAME_PIXELS,
            silent_s=SILENT_S,
            copies_packets=not self.masks.polygons,  # They show what a mask hides.
            files_dir=str(settings.FILES_DIR),
            folder=str(folders.of(self.camera_id)),
        )


class Feed:
    """One camera's. `run` goes on until it is cancelled."""

    def __init__(
        self, wanted: Wanted, publish: Publish, take_packets: TakePackets, before: Standing | None = None
    ) -> None:
        """`before`: how the source did when it was last pulled. What failed then and still does has failed since."""
        self.wanted = wanted
        self._publish = publish
        self._take_packets = take_packets
        self._stream = secrets.token_hex(16)  # Goes on through reconnects: whoever is in sight stays the same person.
        self._seq = 0
        self._slot: Frame | None = None
        self._arrived = asyncio.Event()
        self._reader: ReaderProcess | None = None
        self._wants_answers = False
        self._pace = Pace(wanted.fps, settings.CREDIT)
        self._told_fps = wanted.fps
        self._backoff = Backoff()
        self._pictured_at = 0.0  # Monotonic, as are all but the capture times here.
        self._moved_at = time.monotonic()
        self._is_quiet = False
        self._bad = 0
        self.standing = Standing("connecting", "", "", time.time())
        self._is_kept = False  # As a file, for the pages.
        self._before = before if before and before.state == "failed" else None
        self._failed_since = self._before.since if self._before else 0.0

    async def run(self) -> None:
        self._stand(self.standing.state)
        try:
            async with asyncio.TaskGroup() as group:  # Where one fails both end, and ingest begins anew.
                group.create_task(self._judge_all())
                group.create_task(self._read_all())
        finally:
            if self.standing.state == "connecting" and self._before:
                problems.write(self.wanted.camera_id, self._before)
            elif self.standing.state != "failed":  # Since when it has been failing, the next ingest is to know.
                problems.forget(self.wanted.camera_id)

    def set_rate(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._pace = Pace(wanted.fps, settings.CREDIT)
        self._tell_pace()

    # --- The reader ---

    async def _read_all(self) -> None:
        while True:
            pause_s = await self._read_with_one()
            await asyncio.sleep(pause_s)

    async def _read_with_one(self) -> float:
        """Until the reader ends, which only faults of its own make it do; returns the pause before the next."""
        began_at = time.monotonic()
        fault = ("crashed", "")
        async with process.started(self.wanted.for_reader()) as self._reader:
            self._told_fps, self._is_quiet = self.wanted.fps, False
            self._tell_pace()
            try:
                while True:
                    self._take(await self._reader.next(STUCK_S))
            except Stuck as error:
                fault = ("silent", str(error))
            except Crashed as error:
                if self.standing.state == "ended":
                    return FOR_EVER_S  # A file that is to be played once was, and is not begun again.
                fault = ("crashed", str(error))
            except wire.Broken as error:
                fault = ("crashed", f"nonsense: {error}")
        self._reader = None
        self._stand("failed", *fault)
        now = time.monotonic()
        heard_at = max(self._pictured_at, began_at)
        return self._backoff.failed(steady_s=heard_at - began_at, without_s=min(now - heard_at, STUCK_S))

    def _take(self, message: Message) -> None:
        match message.kind:
            case wire.Kind.STATE:
                self._told(wire.unpack_state(message.body))
            case wire.Kind.PACKETS:
                self._take_packets(self.wanted.camera_id, message)
            case wire.Kind.FRAME | wire.Kind.MADE:
                self._pictured(message)

    def _told(self, state: State) -> None:
        if state.state == "connected":
            self._wants_answers = state.wants_answers
            if state.code:  # It works, although something is wrong with it.
                self._stand("pictures", state.code, state.detail)
        elif state.state == "failed":
            self._stand("failed", state.code, state.detail)
        elif state.state == "ended":  # As it should; the code says so only to whoever wanted more of it.
            self._stand("ended")

    def _pictured(self, message: Message) -> None:
        self._pictured_at = time.monotonic()
        if self._slot is not None and self._wants_answers:
            self._answered()
        self._seq += 1
        self._slot = Frame(
            camera_id=self.wanted.camera_id,
            stream=self._stream,
            seq=self._seq,
            captured_at=message.captured_at,
            received_at=time.time(),
            jpeg=message.body,
            mask_version=wire_version(self.wanted.masks.version),
            is_sound=message.kind is wire.Kind.MADE,
        )
        self._arrived.set()
        if self.standing.state != "pictures" and self._bad < BAD_ENOUGH:
            self._stand("pictures")

    def _stand(self, state: str, code: str = "", detail: str = "") -> None:
        """Keeps how the source does; connecting again is no news while it fails."""
        if (state, code, detail) == (self.standing.state, self.standing.code, self.standing.detail) and self._is_kept:
            return
        is_same = state == self.standing.state == "failed"
        since = time.time()
        if state == "failed":
            since = self._failed_since = self._failed_since or since
        elif state != "connecting":
            self._failed_since = 0.0
        if code and not (is_same and code == self.standing.code):
            logger.warning("camera %d: %s %s", self.wanted.camera_id, code, detail)
            metrics.PULL_FAULTS.labels(self.wanted.slug, code).inc()
        elif state == "pictures":
            logger.info("camera %d: pictures come", self.wanted.camera_id)
        self.standing = Standing(state, code, detail, since)
        try:
            problems.write(self.wanted.camera_id, self.standing)
            self._is_kept = True
        except OSError as error:
            self._is_kept = False
            logger.error("camera %d: its state could not be kept: %s", self.wanted.camera_id, error)

    # --- The gate ---

    async def _judge_all(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            frame, self._slot = self._slot, None
            if frame is not None:
                answer = await self._judge(frame)
                while answer.verdict == "busy" and self._wants_answers:  # Such a source waits, and loses nothing.
                    await asyncio.sleep(BUSY_EVERY_S)
                    answer = await self._judge(frame)
                self._done(frame, answer)

    async def _judge(self, frame: Frame) -> Answer:
        loop, judge = asyncio.get_running_loop(), receiver().judge
        answer = await loop.run_in_executor(receiver().threads, judge, frame, self.wanted.slug)
        metrics.ACK_SECONDS.observe(time.time() - frame.received_at)
        return answer

    def _done(self, frame: Frame, answer: Answer) -> None:
        if self._wants_answers:
            self._answered()
        is_bad = answer.verdict == "invalid"
        self._bad = self._bad + 1 if is_bad else 0
        if self._bad == BAD_ENOUGH:
            self._stand("failed", "not_a_picture", answer.reason)
        kept = answer.kept or frame
        if not is_bad and receiver().node.intakes[frame.camera_id].guard.holds(kept):
            self._publish(kept, answer.verdict == "admitted")
        now = time.monotonic()
        if answer.verdict not in ("no_motion", "no_person"):
            self._moved_at = now
        self._pace.answered(busy=answer.verdict == "busy", now=now)
        self._tell_pace()

    def _answered(self) -> None:
        if self._reader:
            self._reader.tell(answered=True)

    def _tell_pace(self) -> None:
        if self._reader is None:
            return
        fps = round(self._pace.fps, 2)
        if fps != self._told_fps:
            self._told_fps = fps
            self._reader.tell(fps=fps)
        is_quiet = time.monotonic() - self._moved_at > QUIET_AFTER_S
        if is_quiet != self._is_quiet:
            self._is_quiet = is_quiet
            self._reader.tell(is_quiet=is_quiet)
