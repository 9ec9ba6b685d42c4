"""Compressed pictures on disk: files that can be decoded, a ring that is bounded, and nothing where masks are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cameras import masking, packet_ring, packets, zones
from cameras.packet_ring import PacketRing
from cameras.packets import Collector, Damaged, Form, Name, Packet

FORM = Form("h264", 640, 480, b"\0\0\0\1\x67abc\0\0\0\1\x68d")
OTHER = Form("h264", 1_280, 720, FORM.extradata)
START_US = 1_700_000_000_000_000
MASK = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))


def packet(at_s: float, *, is_key: bool = False, size: int = 100, shown_s: float | None = None) -> Packet:
    at_us = START_US + round(at_s * 1e6)
    shown_us = at_us if shown_s is None else START_US + round(shown_s * 1e6)
    return Packet(shown_us, at_us, is_key, bytes([len(str(at_s))]) * size)


def collect(times: list[float], keys: set[float], form: Form = FORM) -> list[bytes]:
    collector = Collector()
    done = [collector.add(packet(at, is_key=at in keys), form) for at in times]
    return [body for body in [*done, collector.flush()] if body]


def name(first: float, last: float, key: float, n: int = 0, form: Form = FORM) -> Name:
    first_us, last_us, key_us = (START_US + round(at * 1e6) for at in (first, last, key))
    return Name(first_us, last_us, key_us, n, form.id)


def test_a_file_holds_a_group_as_it_came() -> None:
    times = [index / 10 for index in range(25)]
    bodies = collect(times, {0.0, 1.0, 2.0})
    assert [packets.name_in(body) for body in bodies] == [name(0, 0.9, 0), name(1, 1.9, 1), name(2, 2.4, 2)]
    form, found = packets.unpack(bodies[1])
    assert form == FORM
    assert found == [packet(at, is_key=at == 1.0) for at in times[10:20]]


def test_a_long_group_is_several_files_of_which_each_says_what_it_follows() -> None:
    names = [packets.name_in(body) for body in collect([index / 10 for index in range(50)], {0.0})]
    assert names == [name(0, 1.9, 0, 0), name(2, 3.9, 0, 1), name(4, 4.9, 0, 2)]
    assert names[1].follows(names[0])
    assert not names[2].follows(names[0])
    assert packets.unbroken(names) == names
    assert packets.unbroken([names[0], names[2]]) == names[:1]
    assert packets.unbroken(names[1:], after=names[0]) == names[1:]
    assert packets.unbroken(names[1:]) == []


def test_what_is_shown_before_the_first_key_picture_of_a_connection_is_left_out() -> None:
    """It may depend on what came earlier; before later key pictures all is there."""
    collector = Collector()
    times = [(0.0, 0.3), (0.1, 0.1), (0.2, 0.2), (0.3, 0.6), (0.4, 0.5), (1.0, 1.3), (1.1, 1.1), (1.2, 1.2)]
    bodies = [collector.add(packet(at, is_key=at in {0.0, 1.0}, shown_s=shown_s), FORM) for at, shown_s in times]
    files = [packets.unpack(body)[1] for body in [*bodies, collector.flush()] if body]
    shown = [[(each.pts_us - START_US) / 1e6 for each in file] for file in files]
    assert shown == [[0.3, 0.6, 0.5], [1.3, 1.1, 1.2]]


def test_a_connections_first_key_picture_is_shown_first() -> None:
    """Its time comes out too late where pictures are sent in another order than they are shown."""
    collector = Collector()
    for at, shown_s in [(0.0, 0.2), (0.1, 0.5), (0.2, 0.3), (0.25, 0.1), (0.3, 0.4)]:
        assert collector.add(packet(at, is_key=at == 0.0, shown_s=shown_s), FORM) is None
    body = collector.flush()
    assert body
    first, *rest = packets.unpack(body)[1]
    assert packets.name_in(body).key_us == first.pts_us == START_US + 99_000
    assert first.dts_us <= first.pts_us
    assert [each.pts_us - START_US for each in rest] == [500_000, 300_000, 100_000, 400_000]


def test_a_flood_does_not_make_a_file_larger_than_may_be_sent() -> None:
    collector = Collector()
    sizes = [
        len(body) for at in range(20) if (body := collector.add(packet(at / 25, is_key=at == 0, size=10**6), FORM))
    ]
    assert sizes
    assert max(sizes) <= packets.STRETCH_BYTES + 10_000


def test_what_comes_before_the_first_key_picture_is_left_out() -> None:
    (body,) = collect([0.0, 0.1, 0.2, 0.3], {0.2})
    assert packets.name_in(body) == name(0.2, 0.3, 0.2)


def test_names_sort_by_capture_and_come_back() -> None:
    made = [name(10, 12, 10), name(2, 4, 2), name(4, 5, 2, 1)]
    assert sorted(str(each) for each in made) == [str(made[1]), str(made[2]), str(made[0])]
    assert [packets.parse(str(each)) for each in made] == made


def test_pictures_shown_in_another_order_keep_both_times() -> None:
    collector = Collector()
    for at, shown in ((0.0, 0.1), (0.1, 0.3), (0.2, 0.2)):
        collector.add(packet(at, is_key=at == 0, shown_s=shown), FORM)
    body = collector.flush()
    assert body
    assert packets.name_in(body) == name(0.1, 0.3, 0.1)
    assert [(each.pts_us - START_US, each.dts_us - START_US) for each in packets.unpack(body)[1]] == [
        (100_000, 0),
        (300_000, 100_000),
        (200_000, 200_000),
    ]


@pytest.mark.parametrize("cut", [0, 3, 8, 40, 250, -1])
def test_a_file_cut_short_is_damaged(cut: int) -> None:
    (body,) = collect([0.0, 0.1], {0.0})
    with pytest.raises(Damaged):
        packets.unpack(body[:cut])


@pytest.mark.parametrize("body", [b"", b"OGP1" + b"\0\0\0\2" + b"[]", b"RIFF" + bytes(100), os.urandom(500)])
def test_nonsense_is_damaged(body: bytes) -> None:
    with pytest.raises(Damaged):
        packets.name_in(body)
    with pytest.raises(Damaged):
        packets.unpack(body)


@pytest.mark.parametrize("wrong", [b"../../ab", b"abcd/efg", b"ABCDEFGH"])
def test_a_name_that_leads_out_of_the_folder_is_damaged(wrong: bytes) -> None:
    (body,) = collect([0.0, 0.1], {0.0})
    assert FORM.id.encode() in body
    with pytest.raises(Damaged):
        packets.name_in(body.replace(FORM.id.encode(), wrong))


# --- The ring ---


@pytest.fixture
def ring(tmp_path: Path) -> PacketRing:
    return PacketRing(tmp_path / "7", max_bytes=10**6)


def files(ring: PacketRing) -> list[Name]:
    return packets.names_in(ring.folder)


def test_the_ring_forgets_whole_groups(ring: PacketRing) -> None:
    times = [index / 10 for index in range(100)]
    for body in collect(times, {0.0, 5.0}):
        ring.put(body)
    assert len(files(ring)) == 6
    ring.prune(older_than=(START_US / 1e6) + 3)  # Its beginning is old, its end is not.
    assert len(files(ring)) == 6
    ring.prune(older_than=(START_US / 1e6) + 5)
    assert {each.key_us - START_US for each in files(ring)} == {5_000_000}


def test_the_ring_is_bounded_by_its_size(tmp_path: Path) -> None:
    ring = PacketRing(tmp_path / "7", max_bytes=10_000)
    for body in collect([index / 10 for index in range(200)], {float(second) for second in range(20)}):
        ring.put(body)
        ring.prune(older_than=0)
        assert sum(path.stat().st_size for path in ring.folder.iterdir()) <= 10_000
    assert files(ring)[-1].key_us - START_US == 19_000_000


def test_a_ring_made_anew_knows_what_is_there(ring: PacketRing) -> None:
    for body in collect([0.0, 0.1, 1.0, 1.1], {0.0, 1.0}):
        ring.put(body)
    (ring.folder / ".half.gop").write_bytes(b"half")
    again = PacketRing(ring.folder.parent, max_bytes=10**6)
    assert not (ring.folder / ".half.gop").exists()
    assert again.prune(older_than=START_US / 1e6 + 0.5) == 1
    assert [each.key_us - START_US for each in files(again)] == [1_000_000]


def test_groups_from_before_the_clock_was_set_back_do_not_stay_for_ever(ring: PacketRing) -> None:
    for body in collect([3_600.0, 3_600.1], {3_600.0}):
        ring.put(body)
    for body in collect([0.0, 0.1], {0.0}):
        ring.put(body)
    ring.prune(older_than=START_US / 1e6 - 30)
    assert [each.key_us - START_US for each in files(ring)] == [0]


# --- Masks ---


def test_a_mask_drops_what_is_kept_at_once_and_lets_nothing_in(ring: PacketRing) -> None:
    camera = ring.folder.parent
    first, second = collect([0.0, 0.1, 1.0, 1.1], {0.0, 1.0})
    ring.put(first)
    linked = camera / "takes" / "some-take" / packets.FOLDER
    linked.mkdir(parents=True)
    os.link(ring.folder / str(files(ring)[0]), linked / str(files(ring)[0]))

    packets.drop_all(camera)
    assert files(ring) == packets.names_in(linked) == []
    (camera / masking.NAME).write_text('{"version": 1, "masks": [[[0, 0], [0.5, 0], [0.5, 0.5]]]}')
    assert packet_ring.is_forbidden(camera)
    assert ring.put(second) is None
    assert files(ring) == []

    (camera / masking.NAME).write_text('{"version": 2, "masks": []}')
    assert ring.put(second)
    assert len(files(ring)) == 1


def test_drawing_a_mask_is_what_drops_them(settings: object, tmp_path: Path) -> None:
    from cameras import folders

    ring = PacketRing(folders.of(7), max_bytes=10**6)
    for body in collect([0.0, 0.1], {0.0}):
        ring.put(body)
    masking.write(7, zones.as_masks(1, [MASK]))
    assert files(ring) == []
    assert packet_ring.is_forbidden(folders.of(7))
