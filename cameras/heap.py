"""Called by a long-lived process once it has loaded what it works with."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h.
GIVE_BACK_S = 20.0
BIG = 131_072  # Bytes; where glibc begins, before it moves the limit up to 32 MB by what it has seen.
NAMES = 200_000  # More than a process of ours has room for in its table of names.


def tidy() -> None:
    """All of it, for processes that nobody minds to see pause for a few milliseconds."""
    keep_big_apart()
    settle()
    give_back()


def settle() -> None:
    """What is loaded by now stays, and the garbage collector need not look at it again: it then finds what has gone out
    of use within seconds instead of minutes, and in a hundredth of the time."""
    _use_up_names()
    gc.collect()
    gc.freeze()


def _use_up_names() -> None:
    """A path's parts go into Python's table of interned strings, and leave their places there used when they go. Once
    all are used, the table is made anew, larger by up to 2 MB, and keeps that size: better now (in some 40 ms) than
    hours later. From Python 3.12 on interned strings may stay for good, these too, so there it is left alone."""
    if sys.version_info >= (3, 12):
        return
    for number in range(NAMES):
        sys.intern(f"{number} ")


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
