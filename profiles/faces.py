"""Finds faces in a picture and turns a face into a vector. No framework; profiles/engine.py loads what the site uses.

The detector is OpenCV's YuNet, the embedder any ONNX model of the ArcFace kind: a face of 112 x 112 pixels, turned so
that its eyes lie level, becomes one vector, and the cosine of two vectors says how alike they are.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Vector = NDArray[np.float32]  # Of length 1.
Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float], ...]  # Right eye, left eye, nose, right and left corner of the mouth (of the face).

SIDE = 112
LONGEST_PX = 960  # YuNet misses faces of more than 300 pixels, and large pictures take long.
STEP_PX = 32
SHORTEST_PX = 320  # Smaller pictures are made so large: it finds no face of less than ten.
# Where the five points lie in an aligned face, as every model of the ArcFace kind was trained.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one picture, in its pixels."""

    xyxy: Box
    points: Points
    score: float

    @property
    def width_px(self) -> float:
        return self.xyxy[2] - self.xyxy[0]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an embedder wants its pixels, and which cosines mean what for it."""

    mean: float
    scale: float
    same: float  # From here on two good faces are one person.
    maybe: float  # From here on somebody should look.


# By a word in the file's name. SFace: OpenCV's own preprocessing and its published limit.
SFACE = Recipe(mean=0.0, scale=1.0, same=0.363, maybe=0.32)
ARCFACE = Recipe(mean=127.5, scale=1 / 128, same=0.45, maybe=0.40)


def recipe_of(name: str) -> Recipe:
    return SFACE if "sface" in name.lower() else ARCFACE


class FaceFinder:
    """YuNet. Safe to call from several threads."""

    def __init__(self, model: Path, *, score: float = 0.7) -> None:
        self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), score, 0.3, 200)
        self._lock = threading.Lock()

    def find(self, frame_bgr: Picture) -> list[Face]:
        """The surest face first."""
        height, width = frame_bgr.shape[:2]
        longest = max(height, width)
        scale = min(max(longest, SHORTEST_PX), LONGEST_PX) / longest
        if scale != 1:
            size_wh = max(1, round(width * scale)), max(1, round(height * scale))
            kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            frame_bgr = np.asarray(cv2.resize(frame_bgr, size_wh, interpolation=kind), np.uint8)
        # The net's own padding is wrong for sides below 32, where it then reads what is no result.
        rest_h, rest_w = (-side % STEP_PX for side in frame_bgr.shape[:2])
        frame_bgr = np.asarray(cv2.copyMakeBorder(frame_bgr, 0, rest_h, 0, rest_w, cv2.BORDER_CONSTANT), np.uint8)
        with self._lock:
            self._net.setInputSize((frame_bgr.shape[1], frame_bgr.shape[0]))
            rows = self._net.detect(np.ascontiguousarray(frame_bgr))[1]
        return [
            _face(row, scale, width, height) for row in (rows if rows is not None else []) if _is_face(row, frame_bgr)
        ]


def _is_face(row: NDArray[np.float32], frame_bgr: Picture) -> bool:
    """A box of some size that lies at least in part in the picture."""
    x, y, w, h = row[:4]
    height, width = frame_bgr.shape[:2]
    return bool(np.isfinite(row).all() and w >= 2 and h >= 2 and x + w > 0 and y + h > 0 and x < width and y < height)


def _face(row: NDArray[np.float32], scale: float, width: int, height: int) -> Face:
    x, y, w, h = (float(value) / scale for value in row[:4])
    points = tuple((float(px) / scale, float(py) / scale) for px, py in row[4:14].reshape(5, 2))
    xyxy = (max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height)))
    return Face(xyxy, points, float(row[14]))


class Embedder:
    """An ONNX model of the ArcFace kind. Safe to call from several threads."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.name = model.stem
        self.recipe = recipe_of(model.stem)

    def embed(self, frame_bgr: Picture, face: Face) -> Vector:
        """A vector of length 1."""
        return self.embed_aligned(aligned(frame_bgr, face))

    def embed_aligned(self, face_bgr: Picture) -> Vector:
        tensor = (face_bgr[..., ::-1].astype(np.float32) - self.recipe.mean) * self.recipe.scale
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
        vector = np.asarray(self._session.run(None, {self._input: tensor})[0], np.float32).ravel()
        return unit(vector)


def unit(vector: NDArray[np.floating]) -> Vector:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def aligned(frame_bgr: Picture, face: Face, *, side: int = SIDE) -> Picture:
    """The face turned, scaled and moved so that its points lie where the embedders expect them."""
    matrix = similarity(np.array(face.points), TEMPLATE * (side / SIDE))
    return np.asarray(cv2.warpAffine(frame_bgr, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def similarity(points: NDArray[np.float64], onto: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) matrix that turns, scales and moves `points` onto `onto` with the least squares (Umeyama 1991)."""
    centre, target = points.mean(axis=0), onto.mean(axis=0)
    source, goal = points - centre, onto - target
    u, sizes, vt = np.linalg.svd(goal.T @ source / len(points))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    turn = u @ np.diag(signs) @ vt
    spread = max(float(source.var(axis=0).sum()), 1e-9)
    scale = float((sizes * signs).sum()) / spread
    return np.hstack([scale * turn, (target - scale * turn @ centre)[:, None]])
