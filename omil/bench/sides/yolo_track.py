"""`yolo track` as Ultralytics ships it: the checkpoint on torch, with ByteTrack."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
from django.conf import settings

from detections import weights, yolo
from omil.bench import clips

LIMIT_S = 5.0  # Of a turn; with as many threads as cores torch all but stops where another process wants one.


class Measured:
    """`threads`: 0 leaves torch as Ultralytics has set it."""

    def __init__(self, pictures: str) -> None:
        self.shots = clips.load(pictures)
        self.model = yolo.import_ultralytics().YOLO(str(weights.checkpoint()), verbose=False)
        import torch

        self.torch = torch
        self.run(first=0, frames=5)  # Ultralytics chooses the device, and with it the threads, at the first picture.
        self.threads = torch.get_num_threads()
        self.about = {"threads": self.threads}

    def run(self, *, first: int, frames: int, threads: int = 0) -> dict[str, Any]:
        if threads or hasattr(self, "threads"):
            self.torch.set_num_threads(threads or self.threads)
        device = "cpu" if settings.DEVICE == "cpu" else None
        done = found = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        for number in range(first, first + frames):
            frame_bgr = cv2.imdecode(
                np.frombuffer(self.shots[number % len(self.shots)].jpeg, np.uint8), cv2.IMREAD_COLOR
            )
            results = self.model.track(
                frame_bgr,
                persist=True,
                tracker="bytetrack.yaml",
                imgsz=settings.IMAGE_SIZE or weights.USUAL_SIZE,
                device=device,
                verbose=False,
            )
            done += 1
            found += len(results[0].boxes) > 0
            if time.perf_counter() - began > LIMIT_S:
                break
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        return {"frames": done, "seconds": seconds, "cpu_s": cpu_s, "with_boxes": found}
