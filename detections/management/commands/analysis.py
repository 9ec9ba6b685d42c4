"""`manage.py analysis`: one analysis worker with a warm model."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from cameras import connections, heap
from detections.detector import get_detector
from detections.turn import worker
from detections.worker import serve


class Command(BaseCommand):
    help = "Analyses pictures from the cameras' spools, one camera at a time."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        detector = get_detector()
        self.stdout.write(f"analysis ready: {detector.name}")
        connections.keep()
        heap.settle()
        heap.give_back()
        worker().heartbeat.start()
        try:
            serve()
        finally:
            worker().heartbeat.stop()
