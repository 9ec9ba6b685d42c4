"""A pulled camera in one process: the reader's decoding, the way in with its gate, and the analysis of what passes.

What is left out is the connection, the pipe between reader and ingest, and the web; time is the stream's own.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av

from accounts.models import Unit
from cameras import connections
from cameras.analysis import AnalysisState
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.models import Camera
from cameras.node import Node
from cameras.pull.decode import Decoding
from cameras.pull.feed import QUIET_AFTER_S
from cameras.pull.file import annex_b
from cameras.pull.source import Control, Packets, Picture, Settings
from detections import broadcast, jobs
from detections.detector import get_detector, get_person_finder
from detections.turn import worker

FPS = 5.0
STREAM = "e" * 32
TURN_S = 1.0  # The frames of so long are analysed in one turn; in the product a turn waits that long for the next.
ANALYSIS = AnalysisState(is_down=False, workers=1, frame_s=0.03)


class Measured:
    """Every round plays the whole stream once more, as one that goes on."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        name = self.path.stem
        self.camera = Camera.objects.create(
            name=name, unit=Unit.objects.create(name=name), source="rtsp://bench.invalid"
        )
        self.intake = Intake(self.camera.pk, Node(lambda: ANALYSIS, lambda *_args, **_kwargs: None, get_person_finder))
        self.control = Control(FPS)
        self.now = time.time()
        self.moved_at = self.drained_at = self.now
        self.seq = self.analysed = 0
        detector = get_detector()
        connections.keep()
        worker().heartbeat.start()
        self.about: dict[str, Any] = {"detector": detector.name}

    def run(self) -> dict[str, Any]:
        began, cpu_began, analysed = self.now, time.process_time(), self.analysed
        settings = Settings(self.camera.pk, "file:", FPS, copies_packets=True)
        with self.path.open("rb") as file, av.open(file) as container:
            stream = container.streams.video[0]
            decoding = Decoding(stream, settings, self.control)
            for packet in annex_b(container, stream):
                assert packet.dts is not None
                assert packet.time_base is not None
                self.now = began + float(packet.dts * packet.time_base)
                for item in decoding.feed(packet, self.now):
                    match item:
                        case Picture():
                            self._take(item)
                        case Packets():
                            pass
        jobs.drain(self.camera.pk)
        broadcast.sender().flush()
        return {
            "seconds": self.now - began,
            "cpu_s": time.process_time() - cpu_began,
            "packets": decoding.packets,
            "decoded": decoding.decoded,
            "analysed": self.analysed - analysed,
        }

    def _take(self, picture: Picture) -> None:
        """As feed.py does."""
        self.seq += 1
        frame = Frame(
            self.camera.pk, STREAM, self.seq, picture.captured_at, self.now, picture.jpeg, is_sound=picture.is_made
        )
        answer = self.intake.receive(frame)
        if answer.verdict not in ("no_motion", "no_person"):
            self.moved_at = self.now
        self.control.is_quiet = self.now - self.moved_at > QUIET_AFTER_S
        self.analysed += answer.verdict == "admitted"
        if self.now - self.drained_at >= TURN_S:
            self.drained_at = self.now
            jobs.drain(self.camera.pk)
