"""`manage.py prepare_models`: brings the models to where they can serve, with progress; run by `make run` first."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from detections import fetch, pose, weights
from detections.detector import on_cpu, warm
from detections.weights import Exported, WeightsError


class Command(BaseCommand):
    help = "Finds or fetches the models of people and of poses, exports them for this machine and runs them once."
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
            if weights.PEOPLE.is_wanted:
                self._go_on_with_own()
        if weights.POSES.is_wanted:
            self._prepare_poses(first_run=first_run, offline=offline)
        for work in settings.MODEL_WORK:
            self._try(work, may_fetch=not offline and not (first_run and fetch.has_failed()))

    def _try(self, work: str, *, may_fetch: bool) -> None:
        """What is not needed for people to be found is said, and no reason to fail."""
        try:
            import_string(work)(self._say, may_fetch)
        except Exception as error:
            self._say(str(error))

    def _prepare_poses(self, *, first_run: bool, offline: bool) -> None:
        """A want of this model is said and no failure: everything but poses works without it."""
        want = weights.POSES
        self._say(f"Pose model: {want.given} ({want.setting})")
        try:
            found = weights.exported(want)
            if found is None:
                is_missing = weights.checkpoint(want) is None
                if is_missing and not offline and not (first_run and fetch.has_failed(want)):
                    fetch.fetch(self._say, want)
                found = weights.export(self._say, want)
            self._say(f"Exported: {found.folder}")
            finder = pose.warm(found, on_cpu(found, threads=settings.INFERENCE_THREADS), size=settings.POSE_IMAGE_SIZE)
            if finder is None:
                raise WeightsError(f"{found.model} does not run on this machine; the log says why.")
        except WeightsError as error:
            self._say(str(error))
            self._say("Going on without poses.")
        else:
            picture, began = np.full((360, 640, 3), 127, np.uint8), time.perf_counter()
            finder.find(picture)
            self._say(f"Ready for poses: {finder.name}, {1000 * (time.perf_counter() - began):.0f} ms a picture")

    def _go_on_with_own(self) -> None:
        self._say("Going on with Omil's own model.")
        try:
            self._verify(weights.own())
        except WeightsError as error:
            self._say(str(error))

    def _prepare(self, *, may_fetch: bool) -> None:
        self._say(f"Model: {settings.OMIL_MODEL} (OMIL_MODEL)")
        if not weights.PEOPLE.is_wanted:
            self._verify(weights.own())
            return
        found = weights.exported()
        if found is None:
            if weights.checkpoint() is None and may_fetch:
                fetch.fetch(self._say)
            found = weights.export(self._say)
        self._say(f"Exported: {found.folder}")
        self._verify(found)

    def _verify(self, found: Exported) -> None:
        """Runs the model at each size the product uses, and says how long a picture takes once it is warm."""
        for use, size in (("analysis", settings.IMAGE_SIZE or found.size), ("gate", settings.GATE_IMAGE_SIZE)):
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
