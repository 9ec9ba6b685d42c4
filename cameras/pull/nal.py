"""What is needed of H.264 and H.265 as they come (Annex B): the parameter sets in front of a key picture, and where one
is cut. Pure."""

from __future__ import annotations

from collections.abc import Iterator

START_CODE = b"\0\0\1"
H264_SETS, HEVC_SETS = {7, 8}, {32, 33, 34}  # SPS and PPS; VPS, SPS and PPS.
H264_SLICES = range(1, 6)
HEVC_SLICES = range(32)
HEVC_CRA, HEVC_BLA = 21, 17  # A key picture on which pictures shown before it depend; one with which all begins anew.
LENGTH_BYTES = 4  # Before each unit in an MP4 that FFmpeg writes.
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


def begun_anew(codec: str, data: bytes, *, is_in_mp4: bool = False) -> bytes:
    """A key picture before which something else stands than when it was encoded: without this mark decoders of H.265
    would go on counting from what stands there. What is shown before it and sent after it is to be left out."""
    if codec != "hevc":
        return data
    found = bytearray(data)
    for at in _in_mp4(data) if is_in_mp4 else _in_annex_b(data):
        if found[at] >> 1 & 0x3F == HEVC_CRA:
            found[at] = found[at] & 0x81 | HEVC_BLA << 1
    return bytes(found)


def _in_annex_b(data: bytes) -> Iterator[int]:
    """Where units begin."""
    at = data.find(START_CODE)
    while at >= 0 and at + 3 < len(data):
        yield at + 3
        at = data.find(START_CODE, at + 3)


def _in_mp4(data: bytes) -> Iterator[int]:
    at = 0
    while at + LENGTH_BYTES < len(data):
        yield at + LENGTH_BYTES
        at += LENGTH_BYTES + int.from_bytes(data[at : at + LENGTH_BYTES])
