"""`manage.py media`: one media worker, which encodes clips and exports."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cameras import connections, heap
from cameras.analysis import Heartbeat
from recordings import worker


class Command(BaseCommand):
    help = "Encodes clips and exports, after whatever analysis needs."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        heartbeat = Heartbeat(settings.RUN_DIR / worker.FOLDER)
        connections.keep()
        heap.tidy()
        heartbeat.start()
        self.stdout.write("media ready")
        try:
            worker.serve()
        finally:
            heartbeat.stop()
