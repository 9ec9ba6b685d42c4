"""A finished model as a teacher: what it makes of each augmented picture is learned too, besides the labels.

Only its answers are used, never its weights. Three things are learned from it: its features before the head, each
channel by its form and not its scale (Cao et al., "PKD", 2022); how surely it sees a person at each anchor; and where.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from ultralytics import YOLO
from ultralytics.utils.metrics import bbox_iou
from ultralytics.utils.tal import dist2bbox, make_anchors

PERSON = 0  # In COCO's order of classes.
FEATURES, SCORES, PLACES = 4.0, 1.0, 2.5  # Weights of the three parts.


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one batch: features (batch, channels, h, w) per stride; per anchor the chance of a person, and its box."""

    features: list[torch.Tensor]
    chances: torch.Tensor  # (batch, anchors)
    boxes: torch.Tensor  # (batch, anchors, 4), corners, in units of the anchor's stride


class Teacher:
    def __init__(self, weights: Path) -> None:
        self._model = YOLO(str(weights)).model.float().eval().requires_grad_(False)
        self._model.to(memory_format=torch.channels_last)
        head = self._model.model[-1]
        self._strides, self._dfl = head.stride, head.dfl
        self.channels: list[int] = [block[0].conv.in_channels for block in head.cv2]

    def __call__(self, pictures: torch.Tensor) -> Opinion:
        with torch.no_grad(), torch.autocast(pictures.device.type, dtype=torch.bfloat16):
            raw = self._model(pictures)[1]
        raw = raw.get("one2many", raw)
        anchors, _strides = make_anchors(raw["feats"], self._strides, 0.5)
        sides = self._dfl(raw["boxes"].float()).permute(0, 2, 1)
        chances = raw["scores"].float()[:, PERSON].sigmoid()
        return Opinion([level.float() for level in raw["feats"]], chances, dist2bbox(sides, anchors, xywh=False))


def pupil(own: list[int], teachers: list[int]) -> nn.ModuleList:
    """From one's own features to as many channels as the teacher has; thrown away when the model is finished."""
    return nn.ModuleList(nn.Conv2d(one, other, 1) for one, other in zip(own, teachers, strict=True))


def unlike(levels: nn.ModuleList, own: list[torch.Tensor], opinion: Opinion) -> torch.Tensor:
    """How far the features' forms are from the teacher's: 0, and 1 where they have nothing in common."""
    losses = [
        functional.mse_loss(_form(level(mine.float())), _form(theirs)) / 2
        for level, mine, theirs in zip(levels, own, opinion.features, strict=True)
    ]
    return torch.stack(losses).mean()


def disagreement(scores: torch.Tensor, boxes: torch.Tensor, opinion: Opinion) -> tuple[torch.Tensor, torch.Tensor]:
    """Of chances, from logits (batch, anchors), and of boxes, where the teacher sees somebody."""
    chances = opinion.chances
    total = chances.sum().clamp(min=1)
    doubt = functional.binary_cross_entropy_with_logits(scores, chances, reduction="none")
    certainty = functional.binary_cross_entropy(chances, chances, reduction="none")
    places = 1 - bbox_iou(boxes, opinion.boxes, xywh=False, CIoU=True).squeeze(-1)
    is_there = chances > 0.1
    return (doubt - certainty).sum() / total, (places * chances * is_there).sum() / total


def _form(features: torch.Tensor) -> torch.Tensor:
    """Each channel with mean 0 and deviation 1 over the batch."""
    mean = features.mean((0, 2, 3), keepdim=True)
    return (features - mean) / (features.std((0, 2, 3), keepdim=True) + 1e-5)


def parts(
    levels: nn.ModuleList, preds: dict[str, Any], boxes: torch.Tensor, opinion: Opinion
) -> dict[str, torch.Tensor]:
    chances, places = disagreement(preds["scores"][:, 0], boxes, opinion)
    return {
        "teacher_features": FEATURES * unlike(levels, preds["feats"], opinion),
        "teacher_scores": SCORES * chances,
        "teacher_places": PLACES * places,
    }
