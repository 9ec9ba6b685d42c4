"""Learns a person model from random weights: `python -m training.train FOLDER --runs RUNS`.

RUNS keeps the checkpoint of each epoch; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import DEFAULT_CFG_DICT

from training.pictures import SoftPictures, found, is_set_aside
from training.soft import SoftLoss
from training.teacher import Teacher, pupil

HERE = Path(__file__).parent
SETTINGS: dict[str, Any] = {
    "seed": 0, "deterministic": True, "device": "cpu", "workers": 1, "plots": False, "val": False, "save": True,
    "batch": 16, "nbs": 16, "amp": False, "imgsz": 256, "epochs": 60, "close_mosaic": 8,
    "optimizer": "MuSGD", "lr0": 0.01, "lrf": 0.01, "cos_lr": True, "warmup_epochs": 1.0, "weight_decay": 0.0005,
    "mosaic": 0.8, "scale": 0.6, "translate": 0.15, "fliplr": 0.5, "hsv_h": 0.02, "hsv_s": 0.6, "hsv_v": 0.5,
    "mixup": 0.0, "cutmix": 0.0, "degrees": 4.0, "erasing": 0.0,
}  # fmt: skip


class Trainer(DetectionTrainer):
    """Ultralytics' trainer over soft labels."""

    folder: Path  # Of pictures; set before an instance is made, as is the teacher.
    teacher: Teacher | None = None

    def get_dataset(self) -> dict[str, Any]:
        pictures = found(self.folder)
        return {
            "train": [str(path) for path in pictures if not is_set_aside(path)],
            "val": [str(path) for path in pictures if is_set_aside(path)],
            "nc": 1,
            "names": {0: "person"},
            "channels": 3,
        }

    def build_dataset(self, img_path: list[str], mode: str = "train", batch: int | None = None) -> SoftPictures:
        return SoftPictures(
            img_path, imgsz=self.args.imgsz, data=self.data, augment=mode == "train", hyp=self.args, cache="ram",
            rect=mode == "val", batch_size=batch or 1, stride=32, pad=0.0,
        )  # fmt: skip

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> DetectionModel:
        model = DetectionModel(cfg, nc=1, ch=3, verbose=False)
        if self.teacher:
            model.pupil = pupil([block[0].conv.in_channels for block in model.model[-1].cv2], self.teacher.channels)
        if weights:
            model.load(weights)
        return model

    def setup_model(self) -> Any:
        checkpoint = super().setup_model()
        self.model.to(memory_format=torch.channels_last)  # Twice as fast on a CPU.
        return checkpoint

    def final_eval(self) -> None:
        """The figures are training/report.py's; the last checkpoint stays as it is, to go on from."""

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch


def learn_softly(trainer: Trainer) -> None:
    model = trainer.model
    model.criterion = SoftLoss(model, trainer.teacher)
    # Ultralytics has 16-bit floats on GPUs only; on a CPU with AMX they halve the time.
    model.predict = torch.autocast(trainer.device.type, dtype=torch.bfloat16)(model.predict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument(
        "--model", type=Path, default=HERE / "omil-person.yaml", help="a network, or a checkpoint of an earlier course"
    )
    parser.add_argument("--hours", type=float, help="stop after the epoch in which this is over; go on another time")
    parser.add_argument("--teacher", type=Path, help="a YOLO checkpoint of COCO's classes to learn from besides")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    changes = {}
    for pair in given.set:
        name, _, value = pair.partition("=")
        kind = type(DEFAULT_CFG_DICT.get(name, SETTINGS.get(name)))
        changes[name] = kind(value) if kind in (int, float, str) else float(value) if "." in value else value
    Trainer.folder = given.folder
    Trainer.teacher = Teacher(given.teacher) if given.teacher else None
    last = given.runs / "weights" / "last.pt"
    overrides = SETTINGS | changes | {
        "model": str(given.model), "project": str(given.runs.parent.absolute()),
        "name": given.runs.name, "exist_ok": True, "data": "people", "task": "detect",
    }  # fmt: skip
    if last.exists():
        overrides["resume"] = str(last)
    trainer = Trainer(overrides=overrides)
    trainer.args.workers = overrides["workers"]  # On a CPU Ultralytics would have none, and one thread too few.
    torch.set_num_threads(given.threads)
    began = time.monotonic()

    def stop_in_time(trainer: Trainer) -> None:
        """Ultralytics would make a finished model of it, with which nothing could go on."""
        if given.hours and time.monotonic() - began > given.hours * 3600 and trainer.epoch + 1 < trainer.epochs:
            raise SystemExit(0)

    def say(trainer: Trainer) -> None:
        losses = ", ".join(f"{name} {float(value):.3f}" for name, value in trainer.tloss.items())
        spent_min = (time.monotonic() - began) / 60
        print(f"epoch {trainer.epoch + 1} of {trainer.epochs}: {losses} ({spent_min:.1f} min)", flush=True)  # noqa: T201

    trainer.add_callback("on_train_epoch_end", say)
    trainer.add_callback("on_train_start", learn_softly)
    trainer.add_callback("on_model_save", stop_in_time)
    trainer.train()


if __name__ == "__main__":
    main()
