"""Makes a camera from the console and prints its slug and, for a browser camera, its enrolment link."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import Unit
from cameras import enrolment
from cameras.models import Camera, Kind

DEFAULT_UNIT = "Main"


class Command(BaseCommand):
    """manage.py add_camera NAME [--unit UNIT] [--source URL] [--json]."""

    help = "Makes a camera; for a guard post's browser it prints the link that enrols the browser, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what people call the camera; once per unit")
        parser.add_argument(
            "--unit", default=DEFAULT_UNIT, help="its unit, made if there is none of this name (%(default)s)"
        )
        parser.add_argument(
            "--source", default="", help="pulled from: rtsp://…, rtsps://…, http://…, https://…, file:NAME, device:N"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        camera, link = add_camera(options["name"].strip(), unit_name=options["unit"].strip(), source=options["source"])
        told = {
            "slug": camera.slug,
            "name": camera.name,
            "unit": camera.unit.name,
            "kind": camera.kind,
            "enrolment_url": link.url if link else None,
            "expires_at": link.expires_at.isoformat(timespec="seconds") if link else None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
            return
        for name, value in told.items():
            if value:
                self.stdout.write(f"{name}: {value}")


@transaction.atomic
def add_camera(name: str, *, unit_name: str, source: str) -> tuple[Camera, enrolment.Link | None]:
    unit = Unit.objects.filter(name=unit_name).first() or Unit(name=unit_name)
    if unit._state.adding:
        _check(unit, "The unit")
        unit.save()
    camera = Camera(name=name, unit=unit, source=source)
    _check(camera, "The camera")
    camera.save()
    return camera, enrolment.create(camera, by=None) if camera.kind == Kind.BROWSER else None


def _check(row: Unit | Camera, what: str) -> None:
    try:
        row.full_clean(exclude=["slug"])
    except ValidationError as error:
        raise CommandError(f"{what} cannot be made. {' '.join(_explained(error))}") from None


def _explained(error: ValidationError) -> list[str]:
    """The messages, each with the field it is about."""
    return [
        message if field == "__all__" else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    ]
