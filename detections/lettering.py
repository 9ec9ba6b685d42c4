"""Texts as masks to paint through, in a font that has Hangul. Pure; annotate draws with it.

scripts/setup.sh sees to the font. Without one, and for characters that it lacks, there is a question mark: a square
instead of a name would tell nothing.
"""

from __future__ import annotations

import logging
import math
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

logger = logging.getLogger(__name__)

Mask: TypeAlias = NDArray[np.uint8]  # (height, width); 255 is ink.

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
# The first that is there is used; all have Hangul as well as Latin letters.
FONTS = (
    *("NanumGothicBold.ttf", "NanumGothic.ttf", "NanumBarunGothicBold.ttf", "NanumBarunGothic.ttf"),
    *("NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "NotoSansKR-Bold.otf", "NotoSansKR-Regular.otf"),
)
NOWHERE = "\U0010ffff"  # No font has a glyph for it: what it draws is what stands for a missing one.
MISSING = "?"
CUT = "…"


@cache
def font_file() -> Path | None:
    found = {path.name: path for folder in FOLDERS for path in Path(folder).expanduser().rglob("*.?t?")}
    file = next((found[name] for name in FONTS if name in found), None)
    if file is None:
        logger.warning("No font with Hangul was found; install the package fonts-nanum.")
    return file


@lru_cache(64)
def _font(px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if file := font_file():
        return ImageFont.truetype(str(file), px, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(px)


@lru_cache(4_096)
def _glyph(character: str) -> bytes:
    mask = _font(16).getmask(character)
    return bytes(mask) + repr(mask.size).encode()


@lru_cache(4_096)
def has(character: str) -> bool:
    return character.isspace() or (character.isprintable() and _glyph(character) != _glyph(NOWHERE))


def legible(text: str) -> str:
    """On one line, composed (Hangul may come letter by letter), and without what the font cannot draw."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(character if has(character) else MISSING for character in composed)


def height(px: int) -> int:
    font = _font(px)
    return sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else px


def width(text: str, px: int) -> int:
    return math.ceil(_font(px).getlength(legible(text)))


def fitted(text: str, px: int, most_px: int) -> str:
    """The text, cut at its end where it would be wider than this."""
    text = legible(text)
    if width(text, px) <= most_px:
        return text
    while text and width(text + CUT, px) > most_px:
        text = text[:-1]
    return text.rstrip() + CUT if text else ""


@lru_cache(256)
def mask(text: str, px: int) -> Mask:
    """The text on one line; every line of a size is equally high. Not to be written to."""
    image = Image.new("L", (max(1, width(text, px)), height(px)))
    ImageDraw.Draw(image).text((0, 0), legible(text), fill=255, font=_font(px))
    drawn: Mask = np.asarray(image)
    return drawn
