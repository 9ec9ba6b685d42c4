"""`manage.py start`: the whole product in one command, which `make run` calls after the set-up."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from omil import startup, supervise


class Command(BaseCommand):
    help = "Prepares everything, runs every process and starts again what dies, until Ctrl-C."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        os.chdir(settings.BASE_DIR)
        settings.RUN_DIR.mkdir(parents=True, exist_ok=True)
        try:
            with startup.held(settings.RUN_DIR / "start.lock"):
                startup.check_port("PORT", settings.PORT)
                if settings.HTTPS and settings.TLS_CERTIFICATE is None:
                    startup.check_port("OMIL_TRUST_PORT", settings.TRUST_PORT)
                startup.check_services()
                settings.SITE_URL_FILE.write_text(settings.SITE_URLS[0], encoding="utf-8")
                said = startup.prepare()
                supervisor = supervise.Supervisor(startup.programs())
                asyncio.run(supervisor.run(lambda: startup.announcement(said)))
        except startup.StartError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped before everything had started.") from None
