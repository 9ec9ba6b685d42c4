"""Makes the next part of a take by copying the camera's own compressed pictures into a fragmented MP4.

Called by jobs.py before it thinks of encoding. A clip begins with the key picture at or before its first picture. Once
a part had to be encoded (packets were missing, or the camera changed its form) the rest of the take is encoded too.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.container import InputContainer

from cameras import packets
from cameras.packets import Damaged, Form, Name, Packet
from cameras.ring import captured_at_of
from recordings import copy_links, copy_stills
from recordings.copy_links import PATIENCE_S
from recordings.encode import MOV_FLAGS, TICKS, TIME_BASE, X264, drop
from recordings.parts import Chunk, Parts, Progress

logger = logging.getLogger(__name__)

TOLERANCE_S = 0.5  # A picture so far from the nearest packet counts as held by it.
TAGS = {"h264": "avc1", "hevc": "hvc1"}  # With hvc1 some browsers play H.265; with hev1, FFmpeg's choice, fewer.
USUAL_TICKS = TICKS // 25


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be copied for these pictures; no files where those before held them already."""

    files: list[Name]
    pictures: list[Path]


class TooEarly(Exception):
    """The packets of these pictures have yet to come."""


def plan(take: Path, progress: Progress, chunk: Chunk, *, linked_until: float, is_over: bool) -> Plan | None:
    """None where these pictures must be encoded. Raises TooEarly."""
    if progress.copied < progress.next_number:
        return None
    last = packets.parse(progress.group) if progress.group else None
    names = _usable(copy_links.folder_in(take), last, _us(chunk.pictures[0]))
    reach = [*([last] if last else []), *names]
    held = 0
    while held < len(chunk.pictures) and _is_held(_us(chunk.pictures[held]), reach):
        held += 1
    if held < len(chunk.pictures):
        missing = captured_at_of(chunk.pictures[held].name)
        if reach and not is_over and linked_until - missing < PATIENCE_S:
            raise TooEarly
        if not held:
            return None
    pictures = chunk.pictures[:held]
    until_us = _us(pictures[-1])
    return Plan([name for name in names if name.first_us <= until_us], pictures)


def _us(picture: Path) -> int:
    return round(captured_at_of(picture.name) * 1e6)


def _usable(folder: Path, last: Name | None, first_us: int) -> list[Name]:
    """In order, all of one form, the first decodable by itself or after the last one copied."""
    names = packets.names_in(folder)
    if last:
        names = packets.unbroken([name for name in names if name.first_us > last.first_us], after=last)
    else:
        names = packets.unbroken(names)
        begins = [number for number, name in enumerate(names) if name.n == 0 and name.key_us <= first_us]
        names = names[begins[-1] :] if begins else names
    form = last.form if last else names[0].form if names else ""
    same = next((number for number, name in enumerate(names) if name.form != form), len(names))
    return names[:same]


def _is_held(at_us: int, names: Sequence[Name]) -> bool:
    tolerance_us = TOLERANCE_S * 1e6
    return any(name.first_us - tolerance_us <= at_us <= name.last_us + tolerance_us for name in names)


def copy(parts: Parts, take: Path, wanted: Plan, *, end: float | None, x264: X264) -> Progress | None:
    """Writes one part, then how far the take has come, then removes what it holds; None where a file is damaged, and is
    now gone. `end`: the take is over, and what is later than this is left out. `x264`: for what may have to be encoded.
    """
    before = parts.read()
    loaded = _load(copy_links.folder_in(take), wanted.files)
    if loaded is None:
        return None
    form, found = loaded
    if end is not None:
        found = _until(found, round(end * 1e6))
    after = before
    if found and form:
        after = _write(parts, before, form, found, x264)
    group = str(wanted.files[-1]) if wanted.files else before.group
    after = replace(after, group=group, last_name=wanted.pictures[-1].name)
    parts.write(after)
    copy_stills.keep(take, wanted.pictures)
    drop(wanted.pictures)
    drop([copy_links.folder_in(take) / str(name) for name in wanted.files])
    return after


def without_copied(chunk: Chunk, progress: Progress) -> Chunk:
    """What is left to be encoded: pictures that the copied parts hold already are only dropped."""
    if not progress.group:
        return chunk
    copy_stills.drop(chunk.pictures[0].parent.parent)  # They are not of all of the clip any more.
    last_us = packets.parse(progress.group).last_us
    held = [picture for picture in chunk.pictures if _us(picture) <= last_us]
    if len(held) == len(chunk.pictures):
        return chunk
    drop(held)
    return Chunk(chunk.pictures[len(held) :], chunk.next_at)


def _load(folder: Path, names: Sequence[Name]) -> tuple[Form | None, list[Packet]] | None:
    form, found = None, []
    for name in names:
        path = folder / str(name)
        try:
            form, of_file = packets.unpack(path.read_bytes())
        except (Damaged, FileNotFoundError) as error:
            logger.error("%s cannot be copied: %s", path, error)
            path.unlink(missing_ok=True)
            return None
        found += of_file
    return form, found


def _until(found: list[Packet], end_us: int) -> list[Packet]:
    """Up to the last one shown by then, with all that it may depend on."""
    last = max((number for number, packet in enumerate(found) if packet.pts_us <= end_us), default=-1)
    return found[: last + 1]


def _write(parts: Parts, before: Progress, form: Form, found: Sequence[Packet], x264: X264) -> Progress:
    if not before.frames:
        # What is shown before the key picture refers to pictures before it.
        first = found[0]
        found = [packet for packet in found if packet.pts_us >= first.pts_us]
        before = replace(
            before,
            first_at=first.pts_us / 1e6,
            width=form.width,
            height=form.height,
            delay=_ticks(first.pts_us - min(packet.dts_us for packet in found)),
            preset=x264.preset,
            quality=x264.quality,
        )
    parts.folder.mkdir(exist_ok=True)
    path = parts.path(before.next_number)
    fresh = path.with_name(f".{path.name}")
    try:
        last_dts = _mux(fresh, before, form, found)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    fresh.replace(path)
    zero_us = round(before.first_at * 1e6)
    last_us = max(packet.pts_us for packet in found)
    return replace(
        before,
        next_number=before.next_number + 1,
        copied=before.copied + 1,
        fragments=before.fragments + sum(packet.is_key for packet in found) + (not found[0].is_key),
        frames=before.frames + len(found),
        last_at=max(before.last_at, last_us / 1e6),
        last_pts=max(before.last_pts, _ticks(last_us - zero_us)),
        last_dts=last_dts,
    )


def _mux(path: Path, before: Progress, form: Form, found: Sequence[Packet]) -> int:
    """Times are those since the first picture, and `delay` more, for MP4 knows no decoding before its beginning."""
    options = {
        "movflags": MOV_FLAGS,
        "fragment_index": str(before.fragments + 1),
        "avoid_negative_ts": "disabled",
        "use_editlist": "0",  # Else it would add the delay a second time.
    }
    zero_us, dts = round(before.first_at * 1e6), before.last_dts
    with _template(form) as template, av.open(str(path), "w", format="mp4", options=options) as output:
        stream = output.add_stream_from_template(template.streams.video[0])
        stream.codec_context.codec_tag = TAGS[form.codec]
        stream.codec_context.width, stream.codec_context.height = form.width, form.height
        stream.time_base = TIME_BASE
        for number, packet in enumerate(found):
            dts = max(_ticks(packet.dts_us - zero_us) + before.delay, dts + 1)
            copied = av.Packet(packet.data)
            copied.stream, copied.time_base, copied.is_keyframe = stream, TIME_BASE, packet.is_key
            copied.dts = dts
            copied.pts = max(_ticks(packet.pts_us - zero_us) + before.delay, dts)
            copied.duration = _duration(found, number)
            output.mux(copied)
    return dts


def _duration(found: Sequence[Packet], number: int) -> int:
    """Only that of the last one is used; the others end where the next begins."""
    before = found[max(0, number - 1)]
    return max(1, _ticks(found[number].dts_us - before.dts_us)) if number else USUAL_TICKS


def _ticks(us: int) -> int:
    return us * (TICKS // 10_000) // 100


def _template(form: Form) -> InputContainer:
    """A stream of this form to copy the header from; its parameter sets say all there is to say."""
    options = {"probesize": "1000000", "analyzeduration": "0"}
    container: InputContainer = av.open(io.BytesIO(form.extradata), format=form.codec, options=options)
    return container
