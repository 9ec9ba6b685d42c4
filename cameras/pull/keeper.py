"""Keeps what readers send of a camera's compressed pictures; one for all feeds of ingest."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from cameras import folders
from cameras.node import receiver
from cameras.packet_ring import PacketRing
from cameras.packets import Damaged
from cameras.pull.wire import Message

logger = logging.getLogger(__name__)


class Keeper:
    """Writes in a thread of its own: a slow disk must not keep pictures waiting."""

    def __init__(self) -> None:
        self._rings: dict[int, PacketRing] = {}
        self._thread = ThreadPoolExecutor(1, "packets")

    def take(self, camera_id: int, message: Message) -> None:
        self._thread.submit(self._keep, camera_id, message.body)

    def _keep(self, camera_id: int, body: bytes) -> None:
        try:
            ring = self._rings.get(camera_id) or PacketRing(folders.of(camera_id), max_bytes=settings.RING_BYTES)
            self._rings[camera_id] = ring
            kept_s = settings.SPOOL_S if receiver().node.state().is_down else settings.RING_S
            ring.prune(older_than=time.time() - kept_s)
            ring.put(body)
        except (Damaged, OSError) as error:  # The clip is then encoded from pictures.
            logger.error("camera %d: its packets could not be kept: %s", camera_id, error)
        except Exception:
            logger.exception("camera %d: its packets could not be kept", camera_id)

    def close(self) -> None:
        self._thread.shutdown()
