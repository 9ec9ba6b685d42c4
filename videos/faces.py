"""The faces of a video: gathered sample by sample, and in the end found among the unit's profiles.

Importing it is cheap: a web process that deletes a video does so.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from profiles import erase, rules
from videos.analysers import LeftOut
from videos.models import Video

if TYPE_CHECKING:
    from detections.tracker import Track
    from profiles.cluster import Somebody
    from profiles.engine import Engine
    from profiles.enrol import Newcomer
    from videos.analysers import Analyser
    from videos.sampling import Sample

logger = logging.getLogger(__name__)


class Faces:
    """Gathers faces; `finish` says whose they are."""

    def __init__(self, video: Video, engine: Engine, state: dict[str, Any] | None) -> None:
        from profiles.gather import Gatherer

        self._video, self._engine = video, engine
        self._gatherer = Gatherer(engine.finder, engine.embedder, state)

    def take(self, sample: Sample, people: list[Track]) -> None:
        self._gatherer.take(sample.index, sample.at_s, sample.frame_bgr, people)

    def state(self) -> dict[str, Any]:
        return self._gatherer.state()

    def finish(self) -> None:
        """Faces that an admin has forbidden since the upload are forgotten."""
        from profiles import enrol
        from profiles.cluster import cluster

        if not rules.allows_faces(self._video.unit_id):
            return
        embedder = self._engine.embedder
        people = cluster(self._gatherer.tracks, embedder.recipe)
        newcomers = [self._newcomer(one, people) for one in people]
        source = enrol.Source(self._video.pk, video=self._video.pk)
        with transaction.atomic():
            # The video's row before the unit's lock, as whoever deletes it does; else they wait for each other.
            if not Video.objects.select_for_update().filter(pk=self._video.pk).exists():
                return
            placed = enrol.record(
                self._video.unit_id, source, newcomers, embedder=embedder.name, recipe=embedder.recipe
            )
        logger.info("video %s: faces %s", self._video.pk, " ".join(one.verdict for one in placed) or "none")

    def _newcomer(self, one: Somebody, people: list[Somebody]) -> Newcomer:
        from profiles.enrol import Newcomer

        return Newcomer(
            key=str(one.tracks[0]),
            vector=one.vector,
            quality=one.quality,
            crop=one.crop,
            is_sure=one.is_sure,
            first_s=one.first_s,
            last_s=one.last_s,
            first_at=self._video.created_at + timedelta(seconds=one.first_s),
            last_at=self._video.created_at + timedelta(seconds=one.last_s),
            tracks=tuple(one.people),
            seen_with=frozenset(
                str(other.tracks[0]) for other in people if other is not one and one.is_seen_with(other)
            ),
        )


def make(video: Video, work: Path, state: dict[str, Any] | None) -> Analyser:
    from profiles import engine

    if not rules.allows_faces(video.unit_id):
        return LeftOut("faces_forbidden")
    try:
        return Faces(video, engine.get(), state)
    except engine.FacesUnavailable as error:
        logger.warning("video %s is analysed without faces: %s", video.pk, error)
        return LeftOut("without_faces")


def forget(video: Video) -> None:
    """What came from this video alone goes with it."""
    erase.source(video.unit_id, video=video.pk)
