"""One play of a clip into the product by a real browser, and what came of it: pictures, log, track log and visits."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import psycopg

from cameras.entries import VERDICTS, Entry, Kind, Outcome
from cameras.ring import captured_at_of
from cameras.spool import Spool
from detections.tracklog import Row, TrackLog
from tests.flow import strip
from tests.flow.webcam import Clip
from tests.product import Product

EVERY_S = 0.1
# The database itself counts how often each visit's row is written.
COUNT_WRITES = """
CREATE TABLE test_writes (visit TEXT);
CREATE TRIGGER test_made AFTER INSERT ON detections_visit BEGIN INSERT INTO test_writes VALUES (NEW.id); END;
CREATE TRIGGER test_changed AFTER UPDATE ON detections_visit BEGIN INSERT INTO test_writes VALUES (NEW.id); END;
"""
COUNT_WRITES_POSTGRESQL = """
CREATE TABLE test_writes (visit uuid);
CREATE FUNCTION test_count() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO test_writes VALUES (NEW.id); RETURN NULL; END $$;
CREATE TRIGGER test_written AFTER INSERT OR UPDATE ON detections_visit FOR EACH ROW EXECUTE FUNCTION test_count();
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A picture the product has received: which frame of the clip it shows, and when it says it was taken."""

    stream: str
    seq: int
    captured_at: float
    number: int


@dataclass(frozen=True, slots=True)
class Stay:
    """A visit as the database holds it, and how often it was written."""

    id: str
    first_seen: float
    last_seen: float
    state: str
    end_reason: str
    writes: int


class RingWatch(threading.Thread):
    """Reads the number of every picture that comes into the ring, before the ring gives it up."""

    def __init__(self, ring: Path) -> None:
        super().__init__(daemon=True)
        self.ring = ring
        self.received: list[Received] = []
        self._known: set[str] = set()
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(EVERY_S):
            self._look()
        self._look()

    def stop(self) -> None:
        self._is_over.set()
        self.join(10)

    def _look(self) -> None:
        names = {entry.name for entry in os.scandir(self.ring)} if self.ring.is_dir() else set()
        for name in sorted(names - self._known):
            if name.endswith(".jpg") and not name.startswith("."):
                self._known.add(name)
                luma = cv2.imdecode(np.fromfile(self.ring / name, np.uint8), cv2.IMREAD_GRAYSCALE)
                number = strip.number_in(np.asarray(luma, np.uint8))
                assert number is not None, f"{name} has no number"
                _at, stream, seq = name.removesuffix(".jpg").split("-")
                self.received.append(Received(stream, int(seq), captured_at_of(name), number))

    @property
    def number(self) -> int:
        return self.received[-1].number if self.received else -1


@dataclass
class Play:
    """A camera, the clip that is played before it, and what the product keeps of it."""

    product: Product
    clip: Clip
    camera_id: int
    slug: str
    watch: RingWatch
    received: list[Received] = field(default_factory=list)

    def wait_for(self, number: int, *, timeout_s: float = 60) -> None:
        """Until this frame of the clip has come in; one that was left out is passed by."""
        self.wait_until(lambda: self.watch.number >= number, timeout_s)

    def wait_until(self, holds: Callable[[], object], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert self.watch.is_alive(), "the ring cannot be read"
            assert time.monotonic() < deadline, f"frame {self.watch.number}: it did not come to that in {timeout_s:g} s"
            time.sleep(0.02)

    def end(self) -> None:
        """The page is closed: all that was admitted is analysed, and the visits end."""
        self.product.wait_until(self.is_over, 30)
        self.watch.stop()
        # The last picture stands, and then the file begins anew.
        numbers = [received.number for received in self.watch.received]
        self.received = self.watch.received[: numbers.index(self.clip.last) + 1]

    def is_over(self) -> bool:
        waiting = any(entry.outcome is Outcome.WAITING for entry in self.admitted())
        return not waiting and all(stay.state == "ended" for stay in self.visits())

    # --- Clip and clock ---

    def time_of(self, number: int) -> float:
        """When this frame of the clip was before the camera, in capture time."""
        numbers = [received.number for received in self.received]
        return float(np.interp(number, numbers, [received.captured_at for received in self.received]))

    def people(self) -> list[tuple[float, float]]:
        """When somebody was there."""
        return [(self.time_of(start), self.time_of(end)) for start, end in self.clip.people]

    def gaps(self) -> list[tuple[float, float]]:
        """When nobody was, with the time before the first and after the last person."""
        edges = [
            self.time_of(self.clip.first),
            *(at for stay in self.people() for at in stay),
            self.time_of(self.clip.last),
        ]
        return list(zip(edges[::2], edges[1::2], strict=True))

    # --- What the product keeps ---

    @property
    def spool(self) -> Spool:
        return Spool(self.product.folder / "spool" / str(self.camera_id))

    def judged(self) -> list[Entry]:
        return [entry for entry in self.spool.after(0, limit=100_000) if entry.kind in VERDICTS]

    def admitted(self) -> list[Entry]:
        return [entry for entry in self.judged() if entry.kind is Kind.ADMITTED]

    def rows(self) -> list[Row]:
        return list(TrackLog(self.product.folder / "tracks" / str(self.camera_id)).rows(0, time.time() + 60))

    def visits(self) -> list[Stay]:
        found = self.product.query(
            "SELECT id, first_seen, last_seen, state, end_reason, (SELECT count(*) FROM test_writes WHERE visit = id) "
            "FROM detections_visit WHERE camera_id = ? ORDER BY first_seen",
            self.camera_id,
        )
        return [Stay(str(UUID(str(id_))), unix(first), unix(last), *rest) for id_, first, last, *rest in found]


def count_writes(product: Product) -> None:
    if url := product.env["DATABASE_URL"]:
        with psycopg.connect(url) as connection:
            connection.execute(COUNT_WRITES_POSTGRESQL)
        return
    with sqlite3.connect(product.folder / "omil.sqlite3", timeout=20) as database:
        database.executescript(COUNT_WRITES)


def begin(product: Product, clip: Clip, camera: dict[str, Any]) -> Play:
    camera_id = product.query("SELECT id FROM cameras_camera WHERE slug = ?", camera["slug"])[0][0]
    watch = RingWatch(product.folder / "spool" / str(camera_id) / "ring")
    watch.start()
    return Play(product, clip, camera_id, camera["slug"], watch)


def unix(value: object) -> float:
    """SQLite gives times as texts without a zone."""
    at = datetime.fromisoformat(str(value))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
