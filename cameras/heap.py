"""Called by a long-lived process once it has loaded what it works with."""

from __future__ import annotations

import gc


def settle() -> None:
    """What is loaded by now stays, and the garbage collector need not look at it again: it then finds what has gone out
    of use within seconds instead of minutes, and in a hundredth of the time."""
    gc.collect()
    gc.freeze()
