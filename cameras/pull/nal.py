"""What is needed of H.264 and H.265 as they come (Annex B): the parameter sets in front of a key picture. Pure."""

from __future__ import annotations

from collections.abc import Iterator

START_CODE = b"\0\0\1"
H264_SETS, HEVC_SETS = {7, 8}, {32, 33, 34}  # SPS and PPS; VPS, SPS and PPS.
H264_SLICES = range(1, 6)
HEVC_SLICES = range(32)
MOST_BYTES = 4_096  # Sets are smaller; what is not may be anything.


def parameter_sets(codec: str, data: bytes) -> bytes:
    """Those that stand before the first slice, each with a start code; none where the stream does not repeat them."""
    found = []
    for kind, unit in _units(codec, data):
        if kind in (H264_SLICES if codec == "h264" else HEVC_SLICES):
            break
        if kind in (H264_SETS if codec == "h264" else HEVC_SETS) and len(unit) <= MOST_BYTES:
            found.append(b"\0" + START_CODE + unit)
    return b"".join(dict.fromkeys(found))


def _units(codec: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = data.find(START_CODE)
    while at >= 0 and at + 3 < len(data):
        begin = at + 3
        first = data[begin]
        kind = first & 0x1F if codec == "h264" else first >> 1 & 0x3F
        if kind in (H264_SLICES if codec == "h264" else HEVC_SLICES):  # Pictures are long and need not be searched.
            yield kind, b""
            return
        at = data.find(START_CODE, begin)
        yield kind, data[begin : at if at >= 0 else len(data)].rstrip(b"\0")
