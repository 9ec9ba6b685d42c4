"""`manage.py adopt_storage`: takes the folder of clips as it is now, after its disk was replaced on purpose."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recordings import storage


class Command(BaseCommand):
    help = "Takes the folder of clips as it is now for the right one, after its disk was replaced on purpose."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            identity = storage.adopt()
        except OSError as error:
            raise CommandError(f"{storage.root()} cannot be adopted: {error.strerror}.") from None
        self.stdout.write(f"{storage.root()} is storage {identity} from now on.")
