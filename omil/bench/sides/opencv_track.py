"""What most programs do: OpenCV reads every picture of the stream, and `yolo track` looks at five a second."""

from __future__ import annotations

import time
from typing import Any

import cv2
from django.conf import settings

from detections import weights, yolo

FPS = 5.0


class Measured:
    """Every round plays the whole stream once more."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.model = yolo.import_ultralytics().YOLO(str(weights.checkpoint()), verbose=False)
        self.run(most=2)  # Ultralytics chooses the device, and with it the threads, at the first picture.
        self.about: dict[str, Any] = {}

    def run(self, *, most: int = 1_000_000) -> dict[str, Any]:
        device = "cpu" if settings.DEVICE == "cpu" else None
        began = time.process_time()
        capture = cv2.VideoCapture(self.path)
        fps = capture.get(cv2.CAP_PROP_FPS)
        number = tracked = 0
        while tracked < most:
            is_read, frame_bgr = capture.read()
            if not is_read:
                break
            if number % round(fps / FPS) == 0:
                tracked += 1
                self.model.track(
                    frame_bgr,
                    persist=True,
                    tracker="bytetrack.yaml",
                    imgsz=settings.IMAGE_SIZE or weights.USUAL_SIZE,
                    device=device,
                    verbose=False,
                )
            number += 1
        capture.release()
        return {"seconds": number / fps, "cpu_s": time.process_time() - began, "frames": number, "tracked": tracked}
