"""The gate's person detector in this process: loaded in the background, asked by a few threads at once and no more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cameras.gate import FindPerson
    from cameras.images import Picture

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0  # A better model may come later.
PATIENCE_S = 0.05  # A frame waits so long for its look; then it is admitted unseen.


class Finder:
    """`load` returns the finder, or None while there is no model; it may take seconds and has its own thread."""

    def __init__(self, load: Callable[[], FindPerson | None], *, slots: int) -> None:
        self._load = load
        self._slots = threading.BoundedSemaphore(slots)
        self._find: FindPerson | None = None
        self._is_known = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="person-finder", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while True:
            try:
                self._find = self._load()
            except Exception:
                logger.exception("the gate's person detector cannot be loaded")
            self._is_known.set()
            time.sleep(LOOK_EVERY_S)

    def current(self) -> FindPerson | None:
        """What the gate asks now: None where there is no model, and the gate then goes by motion alone."""
        return None if self._is_known.is_set() and self._find is None else self.find

    def find(self, picture: Picture) -> float:
        """Raises Saturated while the model is being loaded, and when the slots are taken for too long."""
        from cameras.gate import Saturated

        if (find := self._find) is None or not self._slots.acquire(timeout=PATIENCE_S):
            raise Saturated
        try:
            return find(picture)
        finally:
            self._slots.release()
