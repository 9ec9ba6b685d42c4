"""Alarms of cameras: each kind with its beginning, one for a network, none when all is well again, and for whom."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from accounts.models import Unit, User
from cameras import alarms, folders, lamps
from cameras.alarms import Alarm, Looked, decide
from cameras.entries import Flag, Kind
from cameras.models import Camera
from cameras.pull import problems
from cameras.pull.problems import WORDS, Standing
from cameras.spool import Spool
from cameras.status import CameraStatus
from tests.build import make_frame

NOW = 10_000.0


def looked(
    name: str, state: Any = "quiet", since: float = NOW - 60, *, fails: str = "", at: float = NOW - 60
) -> Looked:
    status = CameraStatus(state, since, 5.0, 0.0, 0, since)
    standing = Standing("failed", fails, "", at) if fails else None
    return Looked(name, name, True, status, standing)


def codes(*cameras: Looked) -> list[tuple[str, tuple[str, ...], float]]:
    return [(alarm.code, alarm.cameras, alarm.since) for alarm in decide(list(cameras), now=NOW)]


def pictures(name: str) -> Looked:
    return Looked(name, name, True, CameraStatus("quiet", NOW, 5.0, 0.0, 0, NOW), Standing("pictures", "", "", NOW - 9))


@pytest.mark.parametrize("state", ["quiet", "live", "behind", "off", "unanalysed", "played"])
def test_a_camera_that_is_well_is_no_alarm(state: str) -> None:
    assert codes(looked("a", state)) == []


@pytest.mark.parametrize("state", ["silent", "frozen", "obscured"])
def test_each_kind_says_since_when(state: str) -> None:
    assert codes(looked("a", state, NOW - 77)) == [(state, ("a",), NOW - 77)]


def test_a_short_pause_and_a_camera_that_never_sent_are_no_alarm() -> None:
    assert codes(looked("a", "silent", NOW - 5), looked("b", "silent", 0.0)) == []


def test_a_source_says_what_is_wrong_with_it_rather_than_that_it_is_silent() -> None:
    [alarm] = decide([looked("a", "silent", fails="unauthorized")], now=NOW)
    assert alarm == Alarm("source", str(WORDS["unauthorized"]), NOW - 60, ("a",), "a")


def test_one_that_is_connected_again_within_seconds_is_no_alarm() -> None:
    assert codes(looked("a", fails="ended", at=NOW - 3)) == []


def test_the_oldest_comes_first() -> None:
    assert [names for _code, names, _at in codes(looked("b", "frozen", NOW - 30), looked("a", "silent", NOW - 90))] == [
        ("a",),
        ("b",),
    ]


def test_many_that_failed_together_are_one_fault_of_the_network() -> None:
    failed = [
        looked(name, "silent", fails=code, at=NOW - 60 + 3 * place)
        for place, (name, code) in enumerate([("a", "timeout"), ("b", "silent"), ("c", "refused"), ("d", "dns")])
    ]
    locked = looked("e", "silent", fails="unauthorized")
    assert codes(*failed, locked, pictures("f")) == [
        ("source", ("e",), NOW - 60),
        ("network", ("a", "b", "c", "d"), NOW - 60),
    ] or codes(*failed, locked, pictures("f")) == [
        ("network", ("a", "b", "c", "d"), NOW - 60),
        ("source", ("e",), NOW - 60),
    ]


@pytest.mark.parametrize(
    "cameras",
    [
        [looked("a", fails="timeout"), looked("b", fails="timeout")],  # Two are no crowd.
        [
            looked(name, fails="timeout", at=NOW - 1_000 * place - 60) for place, name in enumerate("abc")
        ],  # Not at once.
        [*(looked(name, fails="timeout") for name in "abc"), *(pictures(name) for name in "defg")],  # Most are well.
        [looked(name, fails="unauthorized") for name in "abc"],  # Nothing that a network does.
    ],
)
def test_what_has_nothing_in_common_is_told_one_by_one(cameras: list[Looked]) -> None:
    assert {code for code, _names, _at in codes(*cameras)} == {"source"}


# --- On the page ---


def sends(camera: Camera, *, ago_s: float = 0.0, flags: int = 0) -> None:
    at = time.time() - ago_s
    frame = make_frame(1, at, camera_id=camera.pk, received_at=at)
    Spool(folders.of(camera.pk)).put(frame, Kind.NO_MOTION, "", flags=Flag(flags))


@pytest.fixture
def bobs(client: Client, bob: User, valkey: str) -> Client:
    client.force_login(bob)
    return client


def test_the_page_says_what_is_wrong_and_stops_when_it_is_not(bobs: Client, camera_x: Camera) -> None:
    sends(camera_x, flags=Flag.OBSCURED)
    assert "black or covered" in bobs.get("/alarms/").content.decode()
    sends(camera_x)
    assert bobs.get("/alarms/").content.decode().strip() == ""
    assert 'data-camera-alarms="/alarms/"' in bobs.get("/").content.decode()


def test_a_source_is_named_with_its_reason(bobs: Client, unit_x: Unit) -> None:
    camera = Camera.objects.create(name="Pulled <1>", unit=unit_x, source="http://user:hunter2@10.0.0.9/")
    problems.write(camera.pk, Standing("failed", "unauthorized", "HTTP 401", time.time() - 60))
    page = bobs.get("/alarms/").content.decode()
    assert "Pulled &lt;1&gt;" in page
    assert "does not accept the user name and password. (HTTP 401)" in page
    assert "hunter2" not in page
    problems.forget(camera.pk)
    assert bobs.get("/alarms/").content.decode().strip() == ""


def test_nobody_hears_of_another_units_camera(bobs: Client, camera_y: Camera) -> None:
    sends(camera_y, ago_s=60)
    assert bobs.get("/alarms/").content.decode().strip() == ""


def test_a_cameras_own_page_tells_only_of_it(bobs: Client, unit_x: Unit, camera_x: Camera, camera_y: Camera) -> None:
    other = Camera.objects.create(name="Other gate", unit=unit_x)
    for camera in (camera_x, camera_y, other):
        sends(camera, flags=Flag.OBSCURED)
    assert f'data-camera-alarms="/alarms/?camera={other.slug}"' in bobs.get(f"/cameras/{other.slug}/").content.decode()
    page = bobs.get(f"/alarms/?camera={other.slug}").content.decode()
    assert "Other gate" in page
    assert camera_x.name not in page
    assert bobs.get(f"/alarms/?camera={camera_y.slug}").content.decode().strip() == ""


def test_a_file_that_was_played_to_its_end_is_no_alarm_and_its_list_says_so(camera_x: Camera) -> None:
    camera_x.kind, camera_x.source = "pull", "file:gate.mp4"
    Camera.objects.filter(pk=camera_x.pk).update(kind=camera_x.kind, source=camera_x.source)
    past = time.time() - 60
    spool = Spool(folders.of(camera_x.pk))
    spool.append(Kind.NO_MOTION, "", captured_at=past, received_at=past)
    problems.write(camera_x.pk, Standing("pictures", "", "", past))
    assert [alarm.code for alarm in alarms.of([camera_x])] == ["silent"]
    problems.write(camera_x.pk, Standing("ended", "", "", past + 1))
    assert alarms.of([camera_x]) == []
    [lit] = lamps.lit([camera_x])
    assert (lit.lamp.word, lit.lamp.tone) == ("played to its end", "off")  # type: ignore[attr-defined]
