"""Soft labels: a box counts as much as its teacher was sure of it, and what nobody could tell counts for nothing.

A label's class is its confidence (above 0, at most 1), or IGNORE for a region that is neither a person nor empty: so
both pass through Ultralytics' augmentations, which move, cut and drop boxes and leave their classes as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from ultralytics.utils.loss import v8DetectionLoss
from ultralytics.utils.tal import TaskAlignedAssigner, make_anchors

from training.teacher import Teacher, parts

IGNORE = -1.0


class SoftAssigner:
    """Ultralytics' assigner, whose scores are multiplied with the confidence of the label that an anchor belongs to."""

    def __init__(self, assigner: TaskAlignedAssigner) -> None:
        self._assigner = assigner
        self.is_judged = torch.ones(0)  # (batch, anchors, 1): 0 where an anchor lies in an ignored region.

    def __call__(
        self,
        scores: torch.Tensor,
        boxes: torch.Tensor,
        anchors: torch.Tensor,
        confidences: torch.Tensor,
        truths: torch.Tensor,
        is_truth: torch.Tensor,
        **options: Any,
    ) -> tuple[torch.Tensor, ...]:
        """Shapes as Ultralytics': truths (batch, most, 4) in pixels, corners; confidences and is_truth (…, 1)."""
        is_ignored = is_truth.bool() & (confidences < 0)
        is_person = is_truth * (confidences > 0)
        people = confidences.clamp(min=0)
        labels, targets, target_scores, is_foreground, indices = self._assigner(
            scores, boxes, anchors, torch.zeros_like(people), truths, is_person, **options
        )
        if people.shape[1]:
            target_scores = target_scores * people.gather(1, indices.long().unsqueeze(-1))
        self.is_judged = (is_foreground.bool() | ~_within(anchors, truths, is_ignored)).unsqueeze(-1)
        return labels, targets, target_scores, is_foreground, indices


class SoftLoss(v8DetectionLoss):
    """The loss of labels, and of a teacher's opinion where there is one."""

    def __init__(self, model: torch.nn.Module, teacher: Teacher | None = None) -> None:
        super().__init__(model)
        self.assigner: SoftAssigner = SoftAssigner(self.assigner)
        self._cross_entropy = torch.nn.BCEWithLogitsLoss(reduction="none")
        self.bce = self._judged_cross_entropy
        self._teacher, self._pupil = teacher, getattr(model, "pupil", None)

    def loss(self, preds: dict[str, Any], batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """In 32-bit floats whatever the network was run in."""
        preds = preds | {"boxes": preds["boxes"].float(), "scores": preds["scores"].float()}
        losses, told = super().loss(preds, batch)
        if self._teacher and self._pupil and self._pupil.training:
            anchors, _strides = make_anchors(preds["feats"], self.stride, 0.5)
            boxes = self.bbox_decode(anchors, preds["boxes"].permute(0, 2, 1).contiguous())
            taught = parts(self._pupil, preds, boxes, self._teacher(batch["img"]))
            losses = torch.cat([losses, torch.stack(list(taught.values())) * len(batch["img"])])
            told = told | {name: value.detach() for name, value in taught.items()}
        return losses, told

    def _judged_cross_entropy(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self._cross_entropy(scores, targets) * self.assigner.is_judged
        return loss


def _within(anchors: torch.Tensor, boxes: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """(batch, anchors): whether an anchor's centre lies in one of the boxes that count."""
    if not boxes.shape[1]:
        return torch.zeros(boxes.shape[0], anchors.shape[0], dtype=torch.bool, device=boxes.device)
    points = anchors[None, None]
    inside = ((points > boxes[:, :, None, :2]) & (points < boxes[:, :, None, 2:])).all(-1)
    return (inside & counts).any(1)
