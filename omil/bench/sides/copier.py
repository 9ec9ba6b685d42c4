"""A media worker with a camera's packets: the same steps as the encoder's, but that its parts are copied."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import av
from django.conf import settings

from cameras import packets
from cameras.pull.decode import Decoding
from cameras.pull.file import annex_b
from cameras.pull.source import Control, Packets, Picture
from cameras.pull.source import Settings as ForReader
from cameras.ring import name_of
from omil.bench.side import BenchError
from recordings import copy_links, copy_parts, finish
from recordings.encode import X264
from recordings.parts import PART_S, Parts, cut

STREAM = "d" * 32
START = 1_700_000_000.0
FPS = 5.0


class Measured:
    """Its pictures and packets lie in folders, as a camera's do; each round takes links to them."""

    def __init__(self, path: str) -> None:
        self.folder = Path(f"{path}-copier")
        self.kept = self.folder / "kept"
        for name in ("pictures", packets.FOLDER):
            (self.kept / name).mkdir(parents=True)
        self.frames = 0
        with Path(path).open("rb") as file, av.open(file) as container:
            stream = container.streams.video[0]
            decoding = Decoding(stream, ForReader(1, "file:", FPS, copies_packets=True), Control(FPS))
            for packet in annex_b(container, stream):
                assert packet.dts is not None
                assert packet.time_base is not None
                for item in decoding.feed(packet, START + float(packet.dts * packet.time_base)):
                    self._keep(item)
            for item in decoding.flush():
                self._keep(item)
        self.about: dict[str, Any] = {"frames": self.frames}

    def _keep(self, item: object) -> None:
        match item:
            case Picture(captured_at=at, jpeg=jpeg):
                self.frames += 1
                (self.kept / "pictures" / name_of(STREAM, self.frames, at)).write_bytes(jpeg)
            case Packets(body=body):
                (self.kept / packets.FOLDER / str(packets.name_in(body))).write_bytes(body)

    def run(self) -> dict[str, Any]:
        take, clip = self.folder / "take", self.folder / "clip.mp4"
        shutil.rmtree(take, ignore_errors=True)
        parts = Parts(take / "parts")
        for name, target in (("pictures", take / "pictures"), (packets.FOLDER, copy_links.folder_in(take))):
            target.mkdir(parents=True)
            for path in (self.kept / name).iterdir():
                os.link(path, target / path.name)
        x264 = X264(settings.CLIP_PRESET, settings.CLIP_QUALITY)
        began = time.process_time()
        pictures = take / "pictures"
        while chunk := cut(sorted(pictures.iterdir()), linked_until=0, is_over=True, part_s=PART_S):
            plan = copy_parts.plan(take, parts.read(), chunk, linked_until=0, is_over=True)
            if plan is None or copy_parts.copy(parts, take, plan, end=None, x264=x264) is None:
                raise BenchError("A part could not be copied.")
        copied = time.process_time()
        finished = finish.finish(parts, clip)
        ended = time.process_time()
        return {
            "frames": parts.read().frames,
            "cpu_s": ended - began,
            "finish_cpu_s": ended - copied,
            "size": finished.size,
        }
