"""`manage.py valkey`: becomes the embedded Valkey server."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from omil import valkey


class Command(BaseCommand):
    help = "Runs the embedded Valkey on its socket."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_VALKEY_EMBEDDED:
            raise CommandError("REDIS_URL names a server; the embedded one is not needed.")
        valkey.prepare(settings.VALKEY_SOCKET)
        command = valkey.command(settings.VALKEY_SOCKET, max_memory=settings.VALKEY_BYTES)
        os.execv(command[0], command)  # noqa: S606  # The signals of the supervisor must reach the server itself.
