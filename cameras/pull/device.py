"""Sources that are cameras of this machine, `device:0`, through V4L2. Pure.

What it sends as JPEG, as most do above small sizes, is passed on as it is. `?size=1280x720` asks for another size.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs

import av
from av.container import InputContainer

from cameras.pull.decode import Decoding
from cameras.pull.picture import is_whole
from cameras.pull.source import Connected, Control, Fault, Item, Patience, Picture, Settings

SIZE = "1280x720"
HUFFMAN = b"\xff\xc4"  # Some cameras leave these tables out, and only decoders made for them know what to do.


def read(settings: Settings, control: Control) -> Iterator[Item]:
    av.logging.set_level(None)
    number, _mark, query = settings.source.removeprefix("device:").partition("?")
    path = Path(f"/dev/video{int(number)}")
    if not path.exists():
        raise Fault("device_missing", str(path))
    size = parse_qs(query).get("size", [SIZE])[-1]
    with closing(_open(str(path), size, settings)) as container:
        yield from frames(container, settings, control)
    raise Fault("ended")


def _open(path: str, size: str, settings: Settings) -> InputContainer:
    """With JPEG where it can, for uncompressed pictures of this size come slowly over a cable."""
    problem: OSError | av.FFmpegError | None = None
    for options in ({"input_format": "mjpeg", "video_size": size}, {"video_size": size}, {}):
        try:
            timeout = settings.connect_s, settings.silent_s
            container: InputContainer = av.open(path, format="v4l2", options=options, timeout=timeout)
            return container
        except (av.FFmpegError, OSError) as error:
            problem = error
    number = getattr(problem, "errno", None)
    if number in (errno.ENODEV, errno.ENOENT, errno.ENXIO):
        raise Fault("device_missing", path)
    if number == errno.EBUSY:
        raise Fault("refused", f"{path} is in use")
    if number in (errno.EACCES, errno.EPERM):
        raise Fault("unauthorized", f"{path} may not be read")
    raise Fault("unsupported", f"{path} gives no pictures")


def frames(container: InputContainer, settings: Settings, control: Control) -> Iterator[Item]:
    stream, patience = container.streams.video[0], Patience(settings.silent_s)
    decoding = Decoding(stream, settings, control)
    yield Connected(f"{stream.codec_context.name} {stream.codec_context.width}×{stream.codec_context.height}")
    try:
        for packet in container.demux(stream):
            data = bytes(packet) if stream.codec_context.name == "mjpeg" else b""
            if is_whole(data) and HUFFMAN in data[:1_024]:
                patience.pictured()
                if control.is_due(time.monotonic()):
                    yield Picture(time.time(), data)
            else:
                for item in decoding.feed(packet, time.time()):
                    patience.pictured()
                    yield item
            patience.check()
    except av.ExitError:
        raise Fault("silent") from None
    except (av.FFmpegError, OSError):
        raise Fault("device_missing", "it was taken away") from None
