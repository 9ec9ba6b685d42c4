"""Decodes and prepares the next samples in a thread of its own; with a core to spare, while the models are at work."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from django.conf import settings

from videos.sampling import Sample

if TYPE_CHECKING:
    from detections.detector import Detector
    from detections.letterbox import Prepared

AHEAD = 4  # Samples.
LOOK_S = 0.2


def spare() -> int:
    """How many samples ahead. None where the models have every core: their threads wait for each other at each layer,
    and so for the one that decodes."""
    return AHEAD if (os.cpu_count() or 1) > settings.INFERENCE_THREADS else 0


class Ahead:
    """Iterates over (sample, what the detector prepared of it); raises what decoding raised, at its place."""

    def __init__(
        self, begin: Callable[[Callable[[], bool]], Iterator[Sample]], detector: Detector, ahead: int | None = None
    ) -> None:
        """`begin` gives the samples, told how to ask whether they are still wanted."""
        self._detector = detector
        self._queue: queue.Queue[tuple[Sample, Prepared] | BaseException | None] = queue.Queue()
        self._room = threading.Semaphore(spare() if ahead is None else ahead)
        self._is_asked = False
        self._is_over = threading.Event()
        self._samples = begin(self._is_over.is_set)
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._thread.start()

    def next(self) -> tuple[Sample, Prepared] | None:
        """None at the end of the video. Raises queue.Empty where the next one takes longer than LOOK_S."""
        if not self._is_asked:
            self._is_asked = True
            self._room.release()
        found = self._queue.get(timeout=LOOK_S)
        self._is_asked = False
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Ends the thread, which frees the file."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._may_go_on():
                sample = next(self._samples, None)
                self._queue.put(sample and (sample, self._detector.prepare(sample.frame_bgr)))
                if sample is None:
                    return
        except Exception as error:  # It is raised again where the samples are taken.
            self._queue.put(error)
        finally:
            self._samples.close()  # type: ignore[attr-defined]  # A generator is.

    def _may_go_on(self) -> bool:
        while not self._is_over.is_set():
            if self._room.acquire(timeout=LOOK_S):
                return not self._is_over.is_set()
        return False
