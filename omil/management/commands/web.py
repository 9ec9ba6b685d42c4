"""`manage.py web`: serves pages and sockets with Daphne, over HTTPS where OMIL_HOSTS says so."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Serves pages and WebSockets (OMIL_HOSTS, PORT)."
    requires_system_checks = "__all__"

    def handle(self, *args: Any, **options: Any) -> None:
        from omil import server  # Daphne installs its event loop on import.
        from omil.authority import CertificateError

        try:
            server.serve_site()
        except CertificateError as error:
            raise CommandError(str(error)) from None
