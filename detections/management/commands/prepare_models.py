"""`manage.py prepare_models`: brings the person model to where it can serve, with progress; run by `make run` first."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from detections import fetch, weights
from detections.detector import on_cpu, warm
from detections.weights import Exported, WeightsError


class Command(BaseCommand):
    help = "Finds or fetches the person model, exports it for this machine and runs it once."
    requires_system_checks: list[str] = []  # It runs before the database is there.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--first-run", action="store_true", help="fetch only once; succeed without a model")
        parser.add_argument("--offline", action="store_true", help="never fetch")

    def handle(self, *args: Any, first_run: bool, offline: bool, **options: Any) -> None:
        try:
            self._prepare(may_fetch=not offline and not (first_run and fetch.has_failed()))
        except WeightsError as error:
            if not first_run:
                raise CommandError(str(error)) from error
            self._say(str(error))
            self._say("Going on without a model: moving people are found by a fallback, their visits are unverified.")

    def _prepare(self, *, may_fetch: bool) -> None:
        self._say(f"Model: {settings.OMIL_MODEL} (OMIL_MODEL)")
        found = weights.exported()
        if found is None:
            if weights.checkpoint() is None and may_fetch:
                fetch.fetch(self._say)
            found = weights.export(self._say)
        self._say(f"Exported: {found.folder}")
        self._verify(found)

    def _verify(self, found: Exported) -> None:
        """Runs the model at each size the product uses, and says how long a picture takes once it is warm."""
        for use, size in (("analysis", settings.IMAGE_SIZE), ("gate", settings.GATE_IMAGE_SIZE)):
            detector = warm(found, on_cpu(found, threads=settings.INFERENCE_THREADS), size=size)
            if detector is None:
                raise WeightsError(f"{found.model} does not run on this machine; the log says why.")
            prepared = detector.prepare(np.full((360, 640, 3), 127, np.uint8))
            began = time.perf_counter()
            detector.detect(prepared, 0)
            self._say(f"Ready for {use}: {detector.name}, {1000 * (time.perf_counter() - began):.0f} ms a picture")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
