"""Boxes found in one frame, as validated parallel arrays; made by the detector, read by the tracker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

PERSON = 0  # The class id every detector gives to people, whatever its model calls them.


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes in pixels of their frame: corners (n, 4) as left, top, right, bottom, with confidence and class each."""

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.confidence)
        shapes = (self.xyxy.shape, self.confidence.shape, self.class_id.shape)
        if shapes != ((n, 4), (n,), (n,)):
            raise ValueError(f"Boxes need shapes (n, 4), (n,) and (n,), not {shapes}.")
        kinds = [array.dtype.name for array in (self.xyxy, self.confidence, self.class_id)]
        if kinds != ["float32", "float32", "int64"]:
            raise ValueError(f"Boxes need float32, float32 and int64 arrays, not {', '.join(kinds)}.")
        if not (np.isfinite(self.xyxy).all() and (self.xyxy[:, 2:] >= self.xyxy[:, :2]).all()):
            raise ValueError("Boxes need finite corners with right >= left and bottom >= top.")
        if not ((self.confidence >= 0) & (self.confidence <= 1)).all():
            raise ValueError("Boxes need confidences from 0 to 1.")
        for name in ("xyxy", "confidence", "class_id"):
            view = getattr(self, name).view()  # The caller's own array stays writable.
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.confidence)

    @classmethod
    def empty(cls) -> Self:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def people(cls, xyxy: NDArray[np.floating], confidence: NDArray[np.floating]) -> Self:
        """Boxes that are all of persons, from arrays of any float type and order in memory; they are copied."""
        return cls(
            np.array(xyxy, np.float32).reshape(-1, 4),
            np.array(confidence, np.float32).reshape(-1),
            np.full(len(confidence), PERSON, np.int64),
        )

    def only(self, class_id: int) -> Self:
        return self._where(self.class_id == class_id)

    def above(self, confidence: float) -> Self:
        """Those at least so confident."""
        return self._where(self.confidence >= confidence)

    def _where(self, keep: NDArray[np.bool_]) -> Self:
        return type(self)(self.xyxy[keep], self.confidence[keep], self.class_id[keep])
