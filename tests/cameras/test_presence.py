from __future__ import annotations

import threading
from pathlib import Path

from cameras import presence
from cameras.presence import NOBODY, Presence


def test_what_is_written_is_read(tmp_path: Path) -> None:
    said = Presence(7, 12.5, True, 12.0, 2, 3, True, 13.0)
    presence.write(tmp_path, said)
    presence.write(tmp_path, said)
    assert presence.read(tmp_path) == said


def test_before_analysis_has_spoken_nobody_is_known(tmp_path: Path) -> None:
    assert presence.read(tmp_path) == NOBODY
    (tmp_path / presence.NAME).write_bytes(b"not a presence")
    assert presence.read(tmp_path) == NOBODY


def test_a_reader_never_sees_half_of_a_change(tmp_path: Path) -> None:
    presence.write(tmp_path, Presence(n=0, captured_at=0.0))
    stop = threading.Event()

    def write_on() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            presence.write(tmp_path, Presence(n=n, captured_at=float(n), last_box_at=float(n)))

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for _ in range(3_000):
            seen = presence.read(tmp_path)
            assert seen.n == seen.captured_at == seen.last_box_at
    finally:
        stop.set()
        writer.join()
