"""A frame's number as a strip of black and white blocks above the picture, and how it is read back.

The blocks are large and the number carries a checksum, so that it survives JPEG and scaling; the picture is left whole.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]

NUMBER_BITS, CHECK_BITS = 11, 5
BITS = NUMBER_BITS + CHECK_BITS
SHARE = 0.25  # Of the height of both together: a wide picture below a strip has the shape of an ordinary webcam's.
BLOCKS_SHARE = 0.1  # The rest is grey, so that nothing of the blocks bleeds into the picture.
REGION = f"0,0,1,{SHARE}"  # As OMIL_GATE_IGNORED takes it.
DARK, MIDDLE, LIGHT = 32, 128, 224


def with_number(picture: Picture, number: int) -> Picture:
    """The picture below a strip that names the number."""
    height, width = picture.shape[:2]
    full = round(height / (1 - SHARE))
    framed = np.full((full, *picture.shape[1:]), MIDDLE, np.uint8)
    blocks = [LIGHT if code_of(number) >> bit & 1 else DARK for bit in range(BITS)]
    row = np.repeat(np.array(blocks, np.uint8), width // BITS)
    framed[: round(full * BLOCKS_SHARE), : len(row)] = row[None, :, None]
    framed[full - height :] = picture
    return framed


def number_in(luma: Picture) -> int | None:
    """The number in a picture of brightness alone, of whatever size; None where there is none."""
    height, width = luma.shape
    rows = luma[int(height * BLOCKS_SHARE * 0.3) : int(height * BLOCKS_SHARE * 0.7) + 1]
    levels = [
        int(np.mean(rows[:, int((bit + 0.3) * width / BITS) : int((bit + 0.7) * width / BITS)])) for bit in range(BITS)
    ]
    return number_of(sum((level > MIDDLE) << bit for bit, level in enumerate(levels)))


def code_of(number: int) -> int:
    return number << CHECK_BITS | check_of(number)


def number_of(code: int) -> int | None:
    number, check = code >> CHECK_BITS, code & (1 << CHECK_BITS) - 1
    return number if check == check_of(number) else None


def check_of(number: int) -> int:
    """Differs when any one bit of the number does, and is never all black or all white."""
    return 1 + number * 7 % 29


# In a page: what the blocks in a canvas say, read from their middles; `number_of` tells the number.
CODE_IN_CANVAS = f"""
const codeIn = (canvas) => {{
  const y = Math.floor(canvas.height * {BLOCKS_SHARE} * 0.5);
  const row = canvas.getContext("2d").getImageData(0, y, canvas.width, 1).data;
  let code = 0;
  for (let bit = 0; bit < {BITS}; bit += 1) {{
    const x = Math.floor((bit + 0.5) * canvas.width / {BITS});
    if (row[4 * x + 1] > {MIDDLE}) code += 2 ** bit;
  }}
  return code;
}};
"""
