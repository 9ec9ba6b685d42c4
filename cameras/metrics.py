"""The counters and gauges of the frame path, shared between processes by prometheus_client and shown at /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FRAMES = Counter(
    "omil_frames_total", "Frames answered, by camera, verdict and reason.", ["camera", "verdict", "reason"]
)
SOCKETS_REFUSED = Counter("omil_capture_refused_total", "Capture sockets refused or closed, by reason.", ["reason"])
SOCKETS = Gauge("omil_capture_sockets", "Open capture sockets.", multiprocess_mode="livesum")
VIEWERS = Gauge("omil_live_sockets", "Open live sockets.", multiprocess_mode="livesum")
ACK_SECONDS = Histogram(
    "omil_ack_seconds",
    "From the arrival of a frame to its acknowledgement.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
ANALYSED = Counter("omil_analysed_total", "Frames analysed, by camera and outcome.", ["camera", "outcome"])
LAG_SECONDS = Histogram(
    "omil_lag_seconds",
    "From the receipt of an admitted frame to its published result.",
    buckets=(0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
GATE_MISSES = Counter("omil_gate_misses_total", "Samples of refused frames in which analysis saw a person.", ["camera"])
MESSAGES_LOST = Counter("omil_messages_lost_total", "Live messages that could not be sent, by type.", ["type"])
PULLED = Gauge("omil_pulled_cameras", "Pulled cameras that give pictures.", multiprocess_mode="livesum")
PULL_FAULTS = Counter("omil_pull_faults_total", "Faults of pulled cameras' sources, by problem.", ["camera", "problem"])
