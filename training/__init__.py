"""The making of models/omil-person; no part of the running product. README.md tells how."""

import os

from detections.yolo import import_ultralytics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omil.settings")
import_ultralytics()
