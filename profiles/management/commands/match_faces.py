"""`manage.py match_faces FOLDER`: how well the face models of this machine tell people apart on pictures of yours."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from profiles import compare, engine
from profiles.compare import Comparison


class Command(BaseCommand):
    help = (
        "Looks every face of FOLDER/query (and FOLDER/groups) up among the people of FOLDER/enrol, which has a folder "
        "of pictures for each, and prints precision and recall. Nothing is stored."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--enrol", type=Path, help="another folder of known people")
        parser.add_argument("--query", type=Path, action="append", help="another folder to look up; may be repeated")
        parser.add_argument("--labels", type=Path, help="CSV without header: a picture's path, and who is in it, each")

    def handle(
        self,
        *args: Any,
        folder: Path,
        enrol: Path | None,
        query: list[Path] | None,
        labels: Path | None,
        **options: Any,
    ) -> None:
        enrol = enrol or folder / "enrol"
        queries = query or [found for name in ("query", "groups") if (found := folder / name).is_dir()]
        for place in [enrol, *queries]:
            if not place.is_dir():
                raise CommandError(f"There is no folder {place}.")
        if not queries:
            raise CommandError(f"There is neither {folder / 'query'} nor {folder / 'groups'}; name one with --query.")
        try:
            result = compare.compare(engine.get(), enrol, queries, self._labels(labels))
        except engine.FacesUnavailable as error:
            raise CommandError(str(error)) from error
        self._report(result)

    def _labels(self, file: Path | None) -> dict[str, frozenset[str]]:
        if file is None:
            return {}
        try:
            with file.open(encoding="utf-8", newline="") as opened:
                rows = [row for row in csv.reader(opened) if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        return {row[0]: frozenset(name.strip() for name in row[1:] if name.strip()) for row in rows}

    def _report(self, result: Comparison) -> None:
        for one in result.looked:
            what = {"same": one.who, "maybe": f"please confirm: {one.who}", "new": "somebody new"}
            self.stdout.write(
                f"{one.face.file.parent.name}/{one.face.file.name} #{one.face.number}: {what[one.decision.verdict]}"
                + (f" ({one.decision.similarity:.2f})" if one.decision.verdict != "new" else "")
            )
        for file in result.faceless:
            self.stdout.write(f"{file.parent.name}/{file.name}: no clear face")
        for file in result.unreadable:
            self.stdout.write(f"{file.parent.name}/{file.name}: not a picture that can be read")
        self.stdout.write(
            f"Faces {len(result.looked)}: right {result.right}, wrong {result.wrong}, to be confirmed {result.asked}, "
            f"new profiles {result.new}, not judged {result.unjudged}; known people not found {result.missed}"
        )
        self.stdout.write(f"Precision {result.precision:.3f}, recall {result.recall:.3f}")
