from __future__ import annotations

import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from cameras import entries, spool
from cameras.entries import Flag, Kind, Outcome
from cameras.ring import Ring
from cameras.spool import Spool
from tests.build import make_entry, make_frame

ROOT = Path(__file__).resolve().parent.parent.parent


def refuse(log: Spool, seq: int) -> int:
    return log.put(make_frame(seq), Kind.NO_MOTION, "quiet").n


def test_an_entry_survives_packing() -> None:
    entry = make_entry(9, reason="presence", flags=Flag.SAMPLE | Flag.FROZEN, outcome=Outcome.ANALYSED, people=3)
    assert entries.unpack(entry.pack()) == entry


@pytest.mark.parametrize("at", [0, 8, 20, 40, 55])
def test_a_damaged_entry_is_no_entry(at: int) -> None:
    raw = bytearray(make_entry().pack())
    raw[at] ^= 0xFF
    assert entries.unpack(bytes(raw)) is None


def test_every_reason_of_the_frame_path_has_a_code_that_fits_a_byte() -> None:
    assert len(set(entries.REASONS)) == len(entries.REASONS) < 256


def test_entries_come_back_in_order_and_from_any_place(tmp_path: Path) -> None:
    log = Spool(tmp_path)
    assert [refuse(log, seq) for seq in range(1, 6)] == [1, 2, 3, 4, 5]
    assert [entry.seq for entry in log.after(0)] == [1, 2, 3, 4, 5]
    assert [entry.seq for entry in log.after(3)] == [4, 5]
    assert [entry.seq for entry in log.after(1, limit=2)] == [2, 3]
    assert log.after(5) == []


def test_an_admitted_picture_outlives_the_ring(tmp_path: Path) -> None:
    log, ring = Spool(tmp_path), Ring(tmp_path / "ring", max_bytes=1_000)
    frame = make_frame(1)
    entry = log.put(frame, Kind.ADMITTED, "person", picture=ring.put(frame))
    ring.prune(older_than=9_999.0)
    assert log.picture(entry) == frame.jpeg
    log.release(entry)
    with pytest.raises(FileNotFoundError):
        log.picture(entry)


def test_settling_changes_the_entry_and_nothing_else(tmp_path: Path) -> None:
    log = Spool(tmp_path)
    for seq in range(1, 4):
        refuse(log, seq)
    log.settle(2, Outcome.ANALYSED, 300)
    log.settle(2, Outcome.ANALYSED, 300)
    found = log.after(0)
    assert [(entry.n, entry.outcome, entry.people) for entry in found] == [
        (1, Outcome.WAITING, 0),
        (2, Outcome.ANALYSED, 255),
        (3, Outcome.WAITING, 0),
    ]


def test_it_goes_over_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SEGMENT", 4)
    log = Spool(tmp_path)
    for seq in range(1, 11):
        refuse(log, seq)
    assert [entry.n for entry in log.after(2, limit=100)] == list(range(3, 11))
    assert log.prune(through_n=7) == 1
    assert log.first_n() == 5
    assert [entry.n for entry in log.after(0, limit=100)] == list(range(5, 11))
    assert log.prune(through_n=100) == 1, "the newest segment must stay, for it carries the numbering"
    assert refuse(log, 11) == 11


def test_a_torn_end_is_cut_off_and_a_damaged_entry_passed_over(tmp_path: Path) -> None:
    log = Spool(tmp_path)
    for seq in range(1, 4):
        refuse(log, seq)
    (segment,) = log.log.glob("*.log")
    raw = bytearray(segment.read_bytes())
    raw[entries.SIZE + 3] ^= 0xFF
    segment.write_bytes(bytes(raw) + b"half an entry")
    assert [entry.n for entry in log.after(0)] == [1, 3]
    assert refuse(log, 4) == 4
    assert [entry.n for entry in log.after(0)] == [1, 3, 4]


def append_many(folder: Path, count: int) -> None:
    log = Spool(folder)
    for _ in range(count):
        log.append(Kind.NO_SIGHT, "silent", captured_at=1.0, received_at=1.0)


def test_processes_may_append_at_once(tmp_path: Path) -> None:
    spawn = get_context("spawn")
    writers = [spawn.Process(target=append_many, args=(tmp_path, 400)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    numbers = [entry.n for entry in Spool(tmp_path).after(0, limit=2_000)]
    assert numbers == list(range(1, 1_201))


def test_one_owner_at_a_time_and_a_killed_owner_is_none(tmp_path: Path) -> None:
    log = Spool(tmp_path)
    hold = (
        "import sys, time; from pathlib import Path; from cameras.spool import Spool\n"
        "with Spool(Path(sys.argv[1])).owned() as owned:\n"
        "    print(owned, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"True\n"
        with log.owned() as owned:
            assert not owned
        owner.kill()
        owner.wait(10)
    with log.owned() as owned:
        assert owned


def test_the_sweep_removes_only_old_links_that_no_entry_names(tmp_path: Path) -> None:
    log, ring = Spool(tmp_path), Ring(tmp_path / "ring", max_bytes=1_000)
    kept, left = (ring.put(make_frame(seq)) for seq in (1, 2))
    for path in (kept, left):
        (log.admitted / path.name).hardlink_to(path)
    assert log.sweep(waiting={kept.name}, older_than=0) == 0, "both links are fresh"
    assert log.sweep(waiting={kept.name}, older_than=9e9) == 1
    assert [path.name for path in log.admitted.iterdir()] == [kept.name]
