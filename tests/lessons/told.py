"""Runs the analyser of poses over a clip as the analysis of videos does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
import django
django.setup()
from detections.detector import get_detector
from detections.tracker import Tracker
from videos import poses
from videos.models import Video
from videos.sampling import samples

clip, per_s, work = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
stop_at = int(sys.argv[4])  # There the analyser is dropped, with a line too many, and another goes on from its state.
detector, tracker = get_detector(), Tracker()
analyser = poses.make(Video(), work, None)
for sample in samples(clip, per_s):
    if sample.index == stop_at:
        state = analyser.state()
        analyser.take(sample, [])
        analyser = poses.make(Video(), work, state)
    height, width = sample.frame_bgr.shape[:2]
    boxes = detector.detect(detector.prepare(sample.frame_bgr), 0)
    analyser.take(sample, tracker.update(boxes, sample.at_s, (width, height)))
analyser.finish()
analyser.finish()
"""


def by_the_models(clip: Path, per_s: float, models: Path, folder: Path, *, stop_at: int = -1) -> bytes:
    """The bytes of poses.jsonl."""
    data, work = folder / "var", folder / "work"
    data.mkdir()
    work.mkdir()
    (data / "models").symlink_to(models)
    env = {"OMIL_DATA_DIR": str(data), "OMIL_MODEL": "yolo26n.pt", "OMIL_POSE_MODEL": "yolo11n-pose.pt"}
    env |= {"DJANGO_SETTINGS_MODULE": "omil.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(clip), str(per_s), str(work), str(stop_at)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    return (work / "poses.jsonl").read_bytes()
