"""Called by a long-lived process once it has loaded what it works with."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h.
GIVE_BACK_S = 20.0
BIG = 131_072  # Bytes; where glibc begins, before it moves the limit up to 32 MB by what it has seen.


def settle() -> None:
    """What is loaded by now stays, and the garbage collector need not look at it again: it then finds what has gone out
    of use within seconds instead of minutes, and in a hundredth of the time."""
    gc.collect()
    gc.freeze()


def keep_big_apart() -> None:
    """Gives each big piece of memory pages of its own, which go back with it. Among small ones that stay, as many
    cameras' pictures leave them, the heap would grow for hours. Costs page faults; needs glibc, and else does nothing.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(name, BIG)


def give_back() -> None:
    """From now on gives free pages back to the system every now and then, also those between pieces in use; glibc by
    itself gives back only what is free at the end of its heap. A few milliseconds each time."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        threading.Thread(target=_trim_for_ever, args=(trim,), name="heap", daemon=True).start()


def _trim_for_ever(trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(GIVE_BACK_S)
        trim(0)
