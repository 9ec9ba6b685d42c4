"""`manage.py analysis`: one analysis worker with a warm model."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from cameras import connections, heap
from detections.detector import Detector, get_detector
from detections.turn import worker
from detections.weights import WeightsError
from detections.worker import serve

RETRY_S = 10.0


class Command(BaseCommand):
    help = "Analyses pictures from the cameras' spools, one camera at a time."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        detector = self._wait_for_detector()
        self.stdout.write(f"analysis ready: {detector.name}")
        connections.keep()
        heap.settle()
        heap.give_back()
        worker().heartbeat.start()
        try:
            serve()
        finally:
            worker().heartbeat.stop()

    def _wait_for_detector(self) -> Detector:
        """Without one there is no heartbeat: analysis is down, pictures wait as far as there is room, and the rest is
        refused, all of which is shown."""
        while True:
            try:
                return get_detector()
            except WeightsError as error:
                self.stderr.write(f"analysis cannot begin: {error} Trying again in {RETRY_S:g} s.")
            time.sleep(RETRY_S)
