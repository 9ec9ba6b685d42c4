"""The pictures: reading a labelled folder, setting a tenth aside, and what is done to a picture before it is learned.

A folder in YOLO format is `images/` with `labels/` beside it, and here perhaps `ignore/`: a line is
`class centre-x centre-y width height [confidence]` in parts of the picture. Several such folders may lie in one.
"""

from __future__ import annotations

import hashlib
import math
import random
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from ultralytics.data.dataset import YOLODataset

from training.soft import IGNORE

Picture: TypeAlias = NDArray[np.uint8]  # (h, w, 3), blue first

SET_ASIDE = 10  # One in so many pictures is never learned from.


def found(folder: Path) -> list[Path]:
    """Every picture, in a fixed order."""
    pictures = sorted(path for images in folder.rglob("images") for path in images.iterdir() if path.suffix == ".jpg")
    if not pictures:
        raise SystemExit(f"There are no pictures (images/*.jpg) in {folder}.")
    return pictures


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path} is no picture.")
    return picture.astype(np.uint8, copy=False)


def is_set_aside(picture: Path) -> bool:
    """By the name alone, so that no run and no machine decides otherwise."""
    return int(hashlib.sha256(picture.name.encode()).hexdigest(), 16) % SET_ASIDE == 0


def source(picture: Path) -> str:
    """What a file is named after: "mouso1_12.jpg" comes from mouso1."""
    return picture.stem.rpartition("_")[0]


def boxes(picture: Path, kind: str) -> NDArray[np.float32]:
    """(n, 5): centre, width and height in parts of the picture, and confidence; kind is "labels" or "ignore".

    Class 0 is people, and other classes are not learned.
    """
    file = picture.parent.parent / kind / f"{picture.stem}.txt"
    lines = file.read_text().split("\n") if file.exists() else []
    labels = ([float(value) for value in line.split()] for line in lines if line.strip())
    rows = [values for kind, *values in labels if kind == 0]
    return np.array([(*row[:4], row[4] if len(row) > 4 else 1.0) for row in rows], np.float32).reshape(-1, 5)


class SoftPictures(YOLODataset):
    """Pictures whose labels carry a confidence as their class, and ignored regions among them."""

    def get_img_files(self, img_path: list[str]) -> list[str]:
        return list(img_path)

    def get_labels(self) -> list[dict[str, Any]]:
        return [self._labels(Path(file)) for file in self.im_files]

    def build_transforms(self, hyp: Any = None) -> Any:
        transforms = super().build_transforms(hyp)
        if self.augment:
            transforms.insert(len(transforms.tolist()) - 1, Spoil())  # Before the last, which makes tensors.
        return transforms

    def _labels(self, picture: Path) -> dict[str, Any]:
        people = boxes(picture, "labels")
        ignored = boxes(picture, "ignore") if self.augment else boxes(picture, "none")
        confidences = [people[:, 4] if self.augment else np.zeros(len(people)), np.full(len(ignored), IGNORE)]
        return {
            "im_file": str(picture),
            "shape": read(picture).shape[:2],
            "cls": np.concatenate(confidences).astype(np.float32)[:, None],
            "bboxes": np.concatenate([people[:, :4], ignored[:, :4]]),
            "segments": [],
            "keypoints": None,
            "normalized": True,
            "bbox_format": "xywh",
        }


class Spoil:
    """What cheap cameras, bad light and thin lines do to a picture; each now and then, in the order it happens."""

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        picture = labels["img"]
        for step, share in ((darker, 0.25), (blurred, 0.1), (noisy, 0.1), (grey, 0.1), (squeezed, 0.15)):
            if random.random() < share:
                picture = step(picture)
        labels["img"] = np.ascontiguousarray(picture)
        return labels


def darker(picture: Picture) -> Picture:
    """A gamma for dusk or glare, and less contrast."""
    exponent, contrast = math.exp(random.uniform(-0.5, 0.9)), random.uniform(0.5, 1.0)
    levels = (np.arange(256) / 255) ** exponent * contrast + random.uniform(0, 1 - contrast) * 0.5
    return cv2.LUT(picture, (levels * 255).clip(0, 255).astype(np.uint8)).astype(np.uint8, copy=False)


def blurred(picture: Picture) -> Picture:
    """Out of focus, or moved across."""
    if random.random() < 0.5:
        return cv2.blur(picture, (3, 3)).astype(np.uint8, copy=False)
    return cv2.blur(picture, random.choice(((5, 1), (1, 5), (7, 1)))).astype(np.uint8, copy=False)


def noisy(picture: Picture) -> Picture:
    noise = np.empty(picture.shape, np.int16)
    cv2.randn(noise, 0, random.uniform(4, 18))
    return cv2.add(picture, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def grey(picture: Picture) -> Picture:
    """As by infrared light."""
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


def squeezed(picture: Picture) -> Picture:
    _is_done, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, random.randint(25, 75)))
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
