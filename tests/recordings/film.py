"""Plays a clip before a camera, in scripted time: intake, ring, gate, log, analysis by the real model, recorder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cv2

from cameras.analysis import AnalysisState
from cameras.entries import Kind
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.models import Camera
from cameras.node import Node
from detections import jobs
from detections.appearance import Picture
from detections.boxes import Boxes
from detections.detector import Detector
from recordings import takes
from recordings.models import Recording
from recordings.recorder import Recorder
from tests.build import STREAM

START = 1_700_000_000.0
WORK_S = 0.5


@dataclass
class Cached:
    """The product's detector, asked once for each picture."""

    detector: Detector
    known: dict[bytes, Boxes] = field(default_factory=dict)
    name: str = "cached"

    def prepare(self, frame_bgr: Picture) -> Picture:
        return frame_bgr

    def detect(self, frame_bgr: Picture, camera_id: int) -> Boxes:
        key = hashlib.blake2b(frame_bgr.data, digest_size=16).digest()
        if key not in self.known:
            self.known[key] = self.detector.detect(self.detector.prepare(frame_bgr), camera_id)
        return self.known[key]


@dataclass(frozen=True, slots=True)
class Kept:
    """A clip: its first and last picture in seconds from the start of the film."""

    start: float
    end: float
    max_people: int
    pictures: int
    end_reason: str


class Film:
    """One camera with everything that works for it; `is_analysed` False: no worker is there."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.now = START
        self.is_analysed = True
        self.verdict = ""  # Of the last picture.
        self.intake = Intake(camera.pk, Node(self._state, lambda *_args, **_more: None, lambda: None))
        self.recorder = Recorder(now=lambda: self.now)
        self._worked_at = 0.0
        self._seq = 0

    def _state(self) -> AnalysisState:
        return AnalysisState(is_down=not self.is_analysed, workers=1, frame_s=0.02)

    def show(self, at: float, jpeg: bytes) -> None:
        """A picture taken `at` seconds from the start."""
        self._seq += 1
        self.now = START + at
        answer = self.intake.receive(Frame(self.camera.pk, STREAM, self._seq, self.now, self.now, jpeg))
        assert answer.verdict in {"admitted", "no_motion", "no_person"}, answer
        self.verdict = answer.verdict
        if self.is_analysed:
            jobs.drain(self.camera.pk)
        if self.now - self._worked_at >= WORK_S:
            self._worked_at = self.now
            self.work()

    def work(self) -> None:
        self.recorder.tell()
        self.recorder.tick()

    def ends(self, seconds: int = 40) -> None:
        """The camera is gone, and the clock says so every second."""
        heard_at = self.now
        for second in range(3, seconds):
            self.now = heard_at + second
            self.intake.spool.append(Kind.NO_SIGHT, "silent", captured_at=heard_at, received_at=self.now)
            self.work()
        self.work()

    def kept(self) -> list[Kept]:
        rows = Recording.objects.filter(camera=self.camera).order_by("start")
        return [
            Kept(
                round(row.start.timestamp() - START, 3),
                round(row.end.timestamp() - START, 3),
                row.max_people,
                len(takes.folder_of(self.camera.pk, str(row.pk)).pictures()),
                row.end_reason,
            )
            for row in rows
        ]


def jpeg_of(picture: Picture) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
