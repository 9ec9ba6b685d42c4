"""H.264 and H.265 streams to test with: files made by ffmpeg, an RTSP server before them, and what the product's own
decoding makes of them in scripted time."""

from __future__ import annotations

import json
import math
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from cameras.pull import file
from cameras.pull.decode import Decoding
from cameras.pull.source import Control, Item, Settings

SERVER = Path(__file__).with_name("gst_server.py")
LIBRARIES = {"h264": "libx264", "h265": "libx265"}
NOISE = "noise=alls=4:allf=t"  # codespell:ignore alls
DELAY_S = 0.05  # From a picture's time to its arrival.


def encode(
    path: Path,
    *inputs: str,
    codec: str = "h264",
    seconds: float | None = None,
    group: int = 50,
    reordered: int = 0,
    is_open: bool = False,
    from_s: float = 0.0,
) -> Path:
    """A film of these ffmpeg inputs as a camera would send it: every key picture with its parameter sets.
    `is_open`: pictures shown before a key picture refer to what is before it, too."""
    params = f"keyint={group}:min-keyint={group}:scenecut=0:bframes={reordered}:repeat-headers=1:aud=1"
    params += f":open-gop={int(is_open)}"
    command = ["nice", "ffmpeg", "-v", "error", "-y", *inputs, "-an", "-c:v", LIBRARIES[codec], "-preset", "ultrafast"]
    command += ["-pix_fmt", "yuv420p", f"-x{codec[1:]}-params", params + (":log-level=none" if codec == "h265" else "")]
    command += ["-t", str(seconds)] if seconds else []
    command += ["-output_ts_offset", str(from_s)] if from_s else []
    command += ["-tag:v", "hvc1"] if codec == "h265" and path.suffix == ".mp4" else []
    subprocess.run([*command, str(path)], check=True, timeout=120)
    return path


def pattern(size: str = "320x240", fps: int = 25) -> tuple[str, ...]:
    """Something that moves all over the picture."""
    return "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}"


def still(size: str = "320x240", fps: int = 25) -> tuple[str, ...]:
    """A room in which nothing moves, seen by a sensor with noise; after ten seconds a square goes through it."""
    moving = "drawbox=x='mod(t*80\\,320)':y=60:w=60:h=120:color=white:t=fill:enable='gte(t,10)'"
    return "-f", "lavfi", "-i", f"smptebars=size={size}:rate={fps},{NOISE},{moving}"


# --- Scripted time ---


@dataclass(frozen=True, slots=True)
class Came:
    """What the decoding gave at this time."""

    now: float
    item: Item


def played(
    path: Path,
    *,
    start: float,
    until_s: float = math.inf,
    control: Control | None = None,
    settings: Settings | None = None,
) -> Iterator[Came]:
    """The stream as it would come in real time, without waiting; `until_s`: then the connection ends."""
    settings = settings or Settings(1, "file:", 5.0, copies_packets=True)
    control = control or Control(settings.fps)
    with path.open("rb") as opened, av.open(opened) as container:
        stream = container.streams.video[0]
        decoding = Decoding(stream, settings, control)
        now, first = start, None
        for packet in file.annex_b(container, stream):
            assert packet.time_base
            if packet.dts is not None:
                first = packet.dts if first is None else first
                now = start + float((packet.dts - first) * packet.time_base) + DELAY_S
            if now - start > until_s:
                break
            for item in decoding.feed(packet, now):
                yield Came(now, item)
        for item in decoding.flush():
            yield Came(now, item)


# --- Over RTSP ---


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(path: Path, codec: str = "h264") -> str:
    """What GStreamer is to send of an MP4, or of an MPEG-TS, whose form may change in the middle."""
    demux = "tsdemux" if path.suffix == ".ts" else "qtdemux"
    return f"( filesrc location={path} ! {demux} ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96 )"


class RtspServer:
    """GStreamer's, as a process that can be killed and started again on its port."""

    def __init__(self, launch: str, port: int, **about: str) -> None:
        self.port = port
        self._about: dict[str, Any] = {"port": port, "launch": launch, **about}
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, user: str = "") -> str:
        return f"rtsp://{user}127.0.0.1:{self.port}/cam"

    def start(self, launch: str = "") -> None:
        self._about["launch"] = launch or self._about["launch"]
        command = ["/usr/bin/python3", str(SERVER), json.dumps(self._about)]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        if self._process:
            assert self._process.stdout
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(5)
            self._process.stdout.close()
            self._process = None


@contextmanager
def serving(launch: str, **about: str) -> Iterator[RtspServer]:
    server = RtspServer(launch, free_port(), **about)
    server.start()
    try:
        yield server
    finally:
        server.kill()
