"""`manage.py bench`: measures what docs/bench.md names, prints it and keeps it in DATA_DIR/bench/latest.json."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

PARTS = ("pipeline", "latency", "gate", "ingest", "recording", "pull", "record_copy", "video", "faces", "api")


class Command(BaseCommand):
    help = "Measures how fast the pipeline, recording, videos, faces and the API are on this machine."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=int, default=5, help="rounds whose median counts (%(default)s)")
        parser.add_argument("--only", default=",".join(PARTS), help="which parts, separated by commas (%(default)s)")

    def handle(self, *args: Any, rounds: int, only: str, **options: Any) -> None:
        from omil.bench import suite  # Loads vision libraries, which `manage.py help` does not need.
        from omil.bench.side import BenchError

        parts = [part.strip() for part in only.split(",") if part.strip()]
        if unknown := sorted(set(parts) - set(PARTS)) or not parts:
            raise CommandError(f"--only takes {', '.join(PARTS)}, not {unknown if parts else 'nothing'}.")
        if rounds < 1:
            raise CommandError("--rounds must be at least 1.")
        try:
            suite.run(parts, rounds=rounds, say=self._say)
        except BenchError as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
