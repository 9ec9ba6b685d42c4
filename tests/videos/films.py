"""Films made for a test: white figures that walk through a dark picture, and a detector that sees those."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from detections.boxes import Boxes
from detections.letterbox import Prepared

Picture = NDArray[np.uint8]
Draw = Callable[[int, Picture], None]


def walker(number: int, picture: Picture) -> None:
    """One figure from left to right, and the picture's number in its upper edge, in eight bits of grey."""
    height, width = picture.shape[:2]
    left = int(width * (0.05 + 0.6 * ((number % 100) / 100)))
    picture[height // 4 : height * 3 // 4, left : left + width // 6] = 255
    for bit in range(8):
        picture[0:16, bit * width // 8 : (bit + 1) * width // 8] = 150 * (number >> bit & 1)


def number_of(picture: Picture) -> int:
    """Which picture of a walker's film it is."""
    width = picture.shape[1]
    bits = [picture[4:12, bit * width // 8 + 4 : (bit + 1) * width // 8 - 4].mean() > 75 for bit in range(8)]
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set)


def make(
    path: Path,
    *,
    seconds: float = 4.0,
    fps: int = 10,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    draw: Draw = walker,
    times: list[float] | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """`times`: when each picture is shown, where that is uneven."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        ticks = fps if path.suffix == ".avi" else 1_000  # AVI counts pictures, whatever a second is.
        stream.codec_context.time_base = Fraction(1, ticks)
        for number, at in enumerate(times or [number / fps for number in range(round(seconds * fps))]):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            draw(number, picture)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(at * ticks), Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_beep(film: Path, path: Path, *, at: float, codec: str = "pcm_s16le", rate: int = 22_050) -> Path:
    """The film with one second of sound that begins at this time of the file's clock, in four of silence."""
    times = np.arange(4 * rate) / rate
    wave = np.where((times >= at) & (times < at + 1), np.sin(times * 2_000), 0) * 20_000
    with av.open(str(film)) as shown, av.open(str(path), "w") as made:
        pictures = made.add_stream_from_template(shown.streams.video[0])
        sound = made.add_stream(codec, rate=rate, layout="mono")
        for packet in shown.demux(shown.streams.video[0]):
            if packet.size:
                packet.stream = pictures
                made.mux(packet)
        for first in range(0, len(wave), 1_024):
            part = wave[None, first : first + 1_024].astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
            made.mux(sound.encode(frame))
        made.mux(sound.encode(None))
    return path


class WhiteFigures:
    """A detector of white figures; deterministic, as a model is."""

    name = "white figures"

    def prepare(self, frame_bgr: Picture) -> Prepared:
        height, width = frame_bgr.shape[:2]
        return Prepared(frame_bgr[None], 1.0, 0, 0, width, height)

    def detect(self, prepared: Prepared, camera_id: int) -> Boxes:
        bright = prepared.tensor[0].min(axis=2) > 200
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if not len(rows):
            return Boxes.empty()
        edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        return Boxes(np.array([edges], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int64))
