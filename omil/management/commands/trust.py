"""`manage.py trust`: the plain-HTTP page that hands out the local authority's certificate and serves nothing else."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Hands out the local authority's certificate over plain HTTP (OMIL_HOSTS, OMIL_TRUST_PORT)."
    requires_system_checks = ()  # They load every page; web makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        from omil import server  # Daphne installs its event loop on import.
        from omil.authority import CertificateError

        try:
            server.serve_trust_page()
        except CertificateError as error:
            raise CommandError(str(error)) from None
