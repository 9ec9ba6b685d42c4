"""`manage.py verify_recordings`: finds clips that were changed, lost or put in since they were sealed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cameras.models import Camera
from recordings import evidence
from recordings.models import Seal


class Command(BaseCommand):
    help = "Compares every clip with its seal; ends with an error where one was changed, lost or added."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--camera", metavar="SLUG", help="only this camera's clips")

    def handle(self, *args: Any, **options: Any) -> None:
        camera = Camera.objects.filter(slug=options["camera"]).first() if options["camera"] else None
        if options["camera"] and camera is None:
            raise CommandError(f"There is no camera {options['camera']!r}.")
        found = evidence.verify(camera)
        for finding in found:
            self.stdout.write(str(finding))
        if found:
            raise CommandError(f"{len(found)} findings.")
        seals = Seal.objects.filter(removed_at=None)
        count = seals.filter(camera_key=camera.pk).count() if camera else seals.count()
        self.stdout.write(f"{count} recordings are as they were sealed.")
