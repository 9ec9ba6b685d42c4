"""What is done with a picture before it is sent on."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from cameras import images
from cameras.pull.picture import fit
from cameras.pull.source import Fault, Picture, Settings
from tests.fakes import numbered_picture

SETTINGS = Settings(1, "http://a/b", 5.0)
MASKED = Settings(1, "http://a/b", 5.0, masks=(((0.0, 0.0), (1.0, 0.0), (1.0, 0.5)),))
SMALL = Settings(1, "http://a/b", 5.0, max_bytes=1_000)
JPEG = numbered_picture(1)


def vast(jpeg: bytes) -> bytes:
    """The same, but of 65,500 pixels a side by what it says."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + (65_500).to_bytes(2, "big") * 2 + jpeg[at + 4 :]


@pytest.mark.parametrize("told", [MASKED, SMALL])
def test_a_picture_that_would_take_all_memory_is_never_decoded(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("decode_bgr", "decode_small_bgr"):
        monkeypatch.setattr(images, name, lambda *_args: pytest.fail("It was decoded."))
    with pytest.raises(Fault) as fault:
        fit(Picture(0.0, vast(JPEG)), told)
    assert (fault.value.code, fault.value.detail) == ("not_a_picture", "too_many_pixels")


def test_a_picture_larger_than_the_server_takes_is_shrunk() -> None:
    """As of a camera with twelve million pixels; how large a picture may be is for what is sent on."""
    sent = io.BytesIO()
    Image.effect_noise((4_000, 3_000), 60).save(sent, "JPEG", quality=90)
    assert images.size_of(fit(Picture(0.0, sent.getvalue()), SETTINGS)) == (1_920, 1_440)


@pytest.mark.parametrize("padding", [b"", b"\0" * 100, b"\r\n"])
def test_a_camera_may_pad_the_pictures_that_are_masked(padding: bytes) -> None:
    assert images.size_of(fit(Picture(0.0, JPEG + padding), MASKED)) == images.size_of(JPEG)
