"""In a process of its own, for what is set there stays so."""

from __future__ import annotations

import subprocess
import sys

import pytest

USED = """
import gc, sys, time
from pathlib import Path
from cameras import heap

def used():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon"))
"""
BIG = (
    USED
    + """
heap.settle()
assert gc.get_freeze_count() > 1_000
del [bytearray(30_000_000)][:]  # From now on glibc takes all that is smaller from the heap.
if "apart" in sys.argv:
    heap.keep_big_apart()
if "back" in sys.argv:
    heap.GIVE_BACK_S = 0.1
    heap.give_back()
before = used()
big, small = [], []
for _ in range(50):
    big.append(bytearray(b"x") * 1_000_000)
    small.append(bytearray(b"x") * 600)  # It keeps the heap from shrinking below it.
big.clear()
time.sleep(0.5)
print(used() - before)
"""
)
NAMES = (
    USED
    + """
names = [sys.intern(f"name{n}") for n in range(30_000)]  # As many as a process of ours has.
heap.keep_big_apart()
if "settled" in sys.argv:
    heap.settle()
before = used()
for n in range(100_000):
    Path(f"{n}.jpg")
print(used() - before)
"""
)


def left_kb(script: str, *words: str) -> int:
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_big_pieces_go_back_to_the_system() -> None:
    assert left_kb(BIG, "apart") < 5_000 < 40_000 < left_kb(BIG)
    assert left_kb(BIG, "back") < 5_000


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="interned strings may stay for good there")
def test_paths_do_not_make_the_table_of_names_grow_later() -> None:
    assert left_kb(NAMES, "settled") < 200 < 800 < left_kb(NAMES)
