"""A camera with ring and log, a recorder before it, and a clock that both go by: scripted seconds, real files."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from cameras import folders
from cameras.entries import Kind, Outcome
from cameras.frames import Frame
from cameras.models import Camera
from cameras.ring import Ring, captured_at_of
from cameras.spool import Spool
from recordings import takes
from recordings.models import Recording
from recordings.recorder import Recorder
from recordings.takes import Take
from tests.build import STREAM

Told = list[tuple[str, str]]
START = 1_700_000_000.0
FPS = 5


@dataclass
class Post:
    """Times are in seconds from START. Every half second the recorder works, as in life; analysis answers at once."""

    camera: Camera
    now: float = 0.0
    seq: int = 0
    is_database_away: bool = False
    recorder: Recorder = field(init=False)
    spool: Spool = field(init=False)
    ring: Ring = field(init=False)
    _ticked_at: float = -1.0

    def __post_init__(self) -> None:
        self.spool = Spool(folders.of(self.camera.pk))
        self.ring = Ring(self.spool.folder / "ring", max_bytes=10**8)
        self.restart()

    def restart(self) -> None:
        """The recorder's process is a new one."""
        self.recorder = Recorder(now=lambda: START + self.now)

    # --- What comes ---

    def people(self, count: int, seconds: float) -> Post:
        return self._run(seconds, Kind.ADMITTED, people=count)

    def nobody(self, seconds: float) -> Post:
        return self._run(seconds, Kind.NO_MOTION)

    def unanalysed(self, seconds: float) -> Post:
        return self._run(seconds, Kind.ADMITTED, people=None)

    def silent(self, seconds: float) -> Post:
        """No picture comes; after three seconds the clock says so every second."""
        began = self.now
        for second in range(1, int(seconds) + 1):
            self.now = began + second
            if second >= 3:
                self.spool.append(Kind.NO_SIGHT, "silent", captured_at=START + began, received_at=START + self.now)
            self.work()
        return self

    def busy(self, seconds: int) -> Post:
        """Pictures are in the ring, and the log only counts them."""
        for _ in range(seconds):
            began = self.now
            for index in range(FPS):
                self.picture(began + index / FPS)
            self.now = began + 1
            self.spool.append(
                Kind.BUSY, "spool_full", captured_at=START + began, received_at=START + self.now, size=FPS
            )
            self.work()
        return self

    def frame(self, kind: Kind, people: int | None = 0) -> int:
        """One picture, judged and, unless `people` is None, analysed; returns its entry's number."""
        frame = self._frame(self.now)
        picture = self.ring.put(frame)
        self.ring.prune(older_than=START + self.now - settings.RING_S)
        entry = self.spool.put(frame, kind, "", picture=picture if kind is Kind.ADMITTED else None)
        if kind is Kind.ADMITTED and people is not None:
            self.spool.settle(entry.n, Outcome.ANALYSED, people)
            self.spool.release(entry)
        return entry.n

    def picture(self, at: float) -> None:
        self.ring.put(self._frame(at))
        self.ring.prune(older_than=START + at - settings.RING_S)

    def _frame(self, at: float) -> Frame:
        self.seq += 1
        return Frame(self.camera.pk, STREAM, self.seq, START + at, START + at, b"picture %d" % self.seq)

    def _run(self, seconds: float, kind: Kind, people: int | None = 0) -> Post:
        for _ in range(round(seconds * FPS)):
            self.frame(kind, people)
            if abs(self.now - self._ticked_at) >= 0.5:
                self._ticked_at = self.now
                self.work()
            self.now = round(self.now + 1 / FPS, 3)
        return self

    def work(self) -> None:
        if not self.is_database_away:
            self.recorder.tell()
        self.recorder.tick()

    def settle(self, ticks: int = 3) -> Post:
        """Nothing more comes, and the recorder does what is left to do."""
        for _ in range(ticks):
            self.work()
        return self

    # --- What came of it ---

    def takes(self) -> list[Take]:
        found = [folder.read() for folder in takes.folders_of(self.camera.pk)]
        return sorted(found, key=lambda take: take.start)

    def pictures(self, take: Take) -> list[float]:
        """Capture times of the take's pictures, in seconds from START."""
        folder = takes.folder_of(self.camera.pk, take.id)
        return [round(captured_at_of(picture.name) - START, 3) for picture in folder.pictures()]

    def spans(self) -> list[tuple[float, float, int]]:
        """First and last picture of each take, and how many they are."""
        each = [self.pictures(take) for take in self.takes()]
        return [(times[0], times[-1], len(times)) for times in each]

    def rows(self) -> list[tuple[str, str, float, float, int, str]]:
        return [
            (
                row.state,
                row.reason,
                round(row.start.timestamp() - START, 3),
                round(row.end.timestamp() - START, 3),
                row.max_people,
                row.end_reason,
            )
            for row in Recording.objects.order_by("start")
        ]
