"""Counters of the pictures that are drawn for streams and snapshots, shown at /metrics with those of the frame path."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

DRAWN = Counter("omil_drawn_total", "Pictures drawn and encoded for streams and snapshots, by camera.", ["camera"])
STREAMS = Gauge("omil_streams", "Open picture streams.", multiprocess_mode="livesum")
