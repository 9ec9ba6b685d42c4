"""A picture made fit to be sent on: masks burnt in, and no larger than the server takes. Pure.

Most cameras' pictures pass untouched and unseen: nothing is imported for them.
"""

from __future__ import annotations

from cameras.pull.source import Fault, Picture, Settings

LONGEST_PX = 1_920  # Of a picture that was too large.
MOST_PIXELS = 50_000_000  # That are decoded: 150 MB.
SOI, EOI = b"\xff\xd8\xff", b"\xff\xd9"
PADDING = b"\0\r\n"


def is_whole(jpeg: bytes) -> bool:
    """Whether these bytes begin and end as a JPEG; some cameras pad theirs."""
    return jpeg.startswith(SOI) and jpeg[-256:].rstrip(PADDING).endswith(EOI)


def fit(item: Picture, settings: Settings) -> bytes:
    """Raises Fault where it has to be decoded and cannot be."""
    jpeg = item.jpeg
    must_mask = bool(settings.masks) and not item.is_made
    if not must_mask and len(jpeg) <= settings.max_bytes:
        return jpeg
    from cameras import images, masks

    try:
        images.size_of(jpeg.rstrip(PADDING), max_pixels=max(MOST_PIXELS, settings.max_pixels))
        if must_mask:
            jpeg = masks.burn_jpeg(jpeg, settings.masks)
        if len(jpeg) > settings.max_bytes:
            jpeg = images.encode_jpeg(images.decode_small_bgr(jpeg, LONGEST_PX), quality=80)
    except images.BadImage as error:
        raise Fault("not_a_picture", error.reason) from None
    return jpeg
