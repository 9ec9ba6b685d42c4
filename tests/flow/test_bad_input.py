"""Whatever a capture socket is sent gets its own clear answer and its own count, and slows no neighbour."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.flow.conftest import RECHECK_S
from tests.flow.nonsense import BAD, FINE, JPEG, declared
from tests.flow.post import GOOD, PATIENCE_S, Line, Post, Pulse, Site, frame, hello, is_sentence, quiet_then

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]

MEBIBYTE = 1_048_576


@dataclass
class Ledger:
    """What a test has sent, in the words of the answers it got, to be compared with what the product counted."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("reason") != "repeated":
            self.answers[answer.get("verdict", "invalid"), answer.get("reason", answer.get("code", ""))] += 1
        return answer

    def of(self, verdict: str) -> dict[str, float]:
        return {reason: count for (found, reason), count in self.answers.items() if found == verdict}


async def check_counts(site: Site, post: Post, ledger: Ledger) -> None:
    """The metrics and the log's coverage both say what the answers said, and every frame is in one column."""
    for verdict in ("invalid", "busy", "no_motion", "no_person", "admitted"):
        counted = site.metric("omil_frames_total", camera=post.slug, verdict=verdict)
        assert {reason: count for reason, count in counted.items() if count} == ledger.of(verdict), verdict
    verdicts = ("invalid", "busy", "no_motion", "no_person", "admitted")
    expected = {verdict: sum(ledger.of(verdict).values()) for verdict in verdicts}
    deadline = time.monotonic() + PATIENCE_S
    while True:  # The log is counted every second, and analysis takes its time.
        coverage = site.coverage(post)
        if {verdict: coverage[verdict] for verdict in verdicts} == expected and not coverage["waiting"]:
            break
        assert time.monotonic() < deadline, f"{coverage} is not {expected}"
        await asyncio.sleep(0.2)
    assert coverage["received"] == sum(expected.values())
    assert coverage["admitted"] == coverage["analysed"] + coverage["failed"]


# --- Frames ----------------------------------------------------------------------------------------------------------


async def test_a_bad_frame_is_answered_counted_and_survived(
    site: Site, posts: dict[str, Post], neighbour: Pulse
) -> None:
    ledger, numbers = Ledger(), iter(range(10, 10**9, 2))

    async def try_all() -> None:
        # A stream of its own each time: repeats are another test's business.
        async with site.dial(posts["frames"]) as line:
            assert (await line.ask(hello(stream=f"{next(numbers):032x}")))["type"] == "welcome"
            for name, (reason, message) in BAD.items():
                seq = next(numbers)
                answer = ledger.note(await line.ask(message(seq)))
                if answer["type"] == "error":
                    assert (name, answer["code"]) == (name, reason)
                    assert is_sentence(answer["detail"])
                else:
                    assert (name, answer["verdict"], answer["reason"]) == (name, "invalid", reason)
                    assert answer["seq"] in {seq, seq - 1, seq - 2}
                after = ledger.note(await line.ask(frame(seq + 1, JPEG)))
                assert (name, after["seq"], after["verdict"] in GOOD) == (name, seq + 1, True)
            for name, message in FINE.items():
                assert (name, ledger.note(await line.ask(message(next(numbers))))["verdict"] in GOOD) == (name, True)
            await asyncio.sleep(0.5)

    await quiet_then(neighbour, try_all)
    await check_counts(site, posts["frames"], ledger)


async def test_a_huge_picture_is_refused_before_it_is_decoded(site: Site, posts: dict[str, Post]) -> None:
    huge = declared(20_000, 20_000)
    async with site.capture(posts["large"]) as line:
        assert (await line.ask(frame(1, JPEG)))["verdict"] in GOOD
        web = site.web
        forget_peak(web.pid)
        before, began, processor = peak(web.pid), time.monotonic(), sum(web.cpu_times()[:2])
        for seq in range(2, 42):
            assert (await line.ask(frame(seq, huge)))["reason"] == "too_many_pixels"
        each_s = (time.monotonic() - began) / 40
    assert peak(web.pid) - before < 16_000_000  # One look at it would be 400 MB, at an eighth of its size 6 MB.
    assert (sum(web.cpu_times()[:2]) - processor) / 40 < 0.02
    assert each_s < 0.25


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The most memory that the process has had since the peak was forgotten."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1_024


# --- Messages that no server should hold -----------------------------------------------------------------------------


async def just_over(line: Line) -> None:
    await line.send(bytes(MEBIBYTE + 1))


async def in_parts(line: Line) -> None:
    await line.send([bytes(600_000), bytes(600_000)])


async def far_over(line: Line) -> None:
    """Declares 64 MB and sends a good part of them, listening to nothing."""
    transport = line.socket.transport
    transport.write(b"\x82\xff" + struct.pack("!Q", 64_000_000) + bytes(4))
    for _ in range(256):
        if transport.is_closing():
            return
        transport.write(bytes(65_536))
        await asyncio.sleep(0)


@pytest.mark.parametrize("send", [just_over, in_parts, far_over])
async def test_a_message_beyond_all_limits_closes_the_socket_and_is_counted(
    site: Site, posts: dict[str, Post], send: Callable[[Line], Any]
) -> None:
    before = site.metric("omil_capture_refused_total").get("message_too_large", 0)
    invalid = site.coverage(posts["large"])["invalid"], site.metric("omil_frames_total", camera=posts["large"].slug)
    forget_peak(site.web.pid)
    memory = peak(site.web.pid)
    async with site.capture(posts["large"]) as line:
        assert line.socket.protocol.extensions == []  # Nothing is unpacked, so nothing can be a bomb.
        await send(line)
        close, said = await line.end()
    assert (close, said) == (1009, [])
    assert peak(site.web.pid) - memory < 16_000_000
    assert site.metric("omil_capture_refused_total")["message_too_large"] == before + 1
    frames = site.metric("omil_frames_total", camera=posts["large"].slug)
    assert frames["message_too_large"] == invalid[1].get("message_too_large", 0) + 1
    deadline = time.monotonic() + PATIENCE_S
    while site.coverage(posts["large"])["invalid"] <= invalid[0]:
        assert time.monotonic() < deadline, "the log does not say so"
        await asyncio.sleep(0.2)


# --- Order and number ------------------------------------------------------------------------------------------------


async def test_more_frames_than_the_credit_are_refused_one_by_one(site: Site, posts: dict[str, Post]) -> None:
    ledger = Ledger()
    async with site.capture(posts["credit"]) as line:
        assert line.welcome["credit"] == 2
        for seq in range(1, 21):
            await line.send(frame(seq, JPEG))
        answers = [ledger.note(await line.hear()) for _ in range(20)]
        assert {answer["seq"] for answer in answers} == set(range(1, 21))
        over = [answer for answer in answers if answer["verdict"] == "invalid"]
        assert {answer["reason"] for answer in over} == {"over_credit"}
        assert 10 <= len(over) <= 18  # The first two are within; whoever waits for an answer may send again.
        assert answers[-1]["seq"] <= 20
        assert ledger.note(await line.ask(frame(21, JPEG)))["verdict"] in GOOD
    await check_counts(site, posts["credit"], ledger)


async def test_a_frame_sent_again_after_a_reconnect_gets_its_first_verdict_and_counts_once(
    site: Site, posts: dict[str, Post]
) -> None:
    ledger, first = Ledger(), {}
    async with site.capture(posts["repeat"]) as line:
        assert line.welcome["last_seq"] == 0
        for seq in (3, 4, 6):
            first[seq] = ledger.note(await line.ask(frame(seq, JPEG)))["verdict"]
    async with site.capture(posts["repeat"]) as line:
        assert line.welcome["last_seq"] == 6
        for seq in (3, 4, 6):
            answer = ledger.note(await line.ask(frame(seq, JPEG)))
            assert (answer["seq"], answer["verdict"], answer["reason"]) == (seq, first[seq], "repeated")
        assert ledger.note(await line.ask(frame(4, JPEG)))["reason"] == "disorder"
        assert ledger.note(await line.ask(frame(7, JPEG)))["verdict"] in GOOD
    async with site.capture(posts["repeat"]) as line:
        # Number 5 was never judged, and what follows it was: its place in the log is gone.
        answer = ledger.note(await line.ask(frame(5, JPEG)))
        assert (answer["verdict"], answer["reason"]) == ("busy", "late")
    await check_counts(site, posts["repeat"], ledger)


async def test_the_newest_connection_takes_the_camera_over_and_the_older_is_told(
    site: Site, posts: dict[str, Post]
) -> None:
    before = site.metric("omil_capture_refused_total").get("taken_over", 0)
    sockets = site.metric("omil_capture_sockets")[""]
    async with site.capture(posts["twice"]) as older:
        assert (await older.ask(frame(1, JPEG)))["verdict"] in GOOD
        async with site.capture(posts["twice"]) as newer:
            close, said = await older.end()
            assert (close, [answer["code"] for answer in said]) == (4409, ["taken_over"])
            assert is_sentence(said[0]["detail"])
            assert (await newer.ask(frame(2, JPEG)))["verdict"] in GOOD
            assert site.metric("omil_capture_sockets")[""] == sockets + 1
    assert site.metric("omil_capture_refused_total")["taken_over"] == before + 1


async def test_nothing_is_taken_from_a_connection_that_was_taken_over(site: Site, posts: dict[str, Post]) -> None:
    """Its close frame has not been answered yet, or never will be."""
    async with site.capture(posts["twice"]) as older:
        older.socket.transport.pause_reading()
        async with site.capture(posts["twice"]) as newer:
            assert (await newer.ask(frame(100, JPEG)))["verdict"] in GOOD
            before = site.metric("omil_frames_total", camera=posts["twice"].slug)
            with suppress(ConnectionClosed):  # The server need not wait for the answer to its close.
                for seq in range(101, 120):
                    await older.send(frame(seq, JPEG))
            await asyncio.sleep(0.5)
            assert site.metric("omil_frames_total", camera=posts["twice"].slug) == before
        older.socket.transport.abort()


@pytest.mark.parametrize("good_ones", [0, 4])
async def test_a_client_that_keeps_sending_bad_frames_is_closed(
    site: Site, posts: dict[str, Post], neighbour: Pulse, good_ones: int
) -> None:
    """Also when it hides a few good ones among them: 400 messages at once, of which that many in ten are good."""

    async def flood() -> None:
        before = site.metric("omil_capture_refused_total").get("too_many_bad_frames", 0)
        async with site.dial(posts["flood"]) as line:
            assert (await line.ask(hello(stream=f"{time.time_ns():032x}")))["type"] == "welcome"
            with suppress(ConnectionClosed):
                for seq in range(400):
                    is_good = seq % 10 < good_ones
                    await line.send(frame(seq + 1, JPEG) if is_good else b"nonsense")
            close, said = await line.end()
        assert (close, said[-1]["code"]) == (1008, "too_many_bad_frames")
        assert is_sentence(said[-1]["detail"])
        assert 50 <= len(said) < 400
        assert site.metric("omil_capture_refused_total")["too_many_bad_frames"] == before + 1
        await asyncio.sleep(0.5)

    await quiet_then(neighbour, flood)


# --- Rights that end while the socket is open ------------------------------------------------------------------------


def revoke(site: Site, post: Post) -> None:
    site.press(f"/admin/cameras/camera/{post.id}/revoke/{post.device_id}/")


def switch_off(site: Site, post: Post) -> None:
    site.press("/admin/cameras/camera/", action="disable", _selected_action=post.id)


@pytest.mark.parametrize(("name", "act", "code"), [("notice", revoke, "revoked"), ("off", switch_off, "camera_off")])
async def test_a_source_that_loses_its_rights_is_closed_at_once(
    site: Site, posts: dict[str, Post], name: str, act: Callable[[Site, Post], None], code: str
) -> None:
    async with site.capture(posts[name]) as line:
        began = time.monotonic()
        await asyncio.to_thread(act, site, posts[name])
        close, said = await line.end()
        assert (close, [answer["code"] for answer in said]) == (4403, [code])
        assert time.monotonic() - began < RECHECK_S * 0.9  # The timer would not have looked yet.


async def test_a_source_whose_notice_was_lost_is_closed_at_the_next_look(site: Site, posts: dict[str, Post]) -> None:
    async with site.capture(posts["timer"]) as line:
        site.query("UPDATE cameras_device SET revoked_at = '2026-01-01' WHERE id = ?", posts["timer"].device_id)
        began = time.monotonic()
        assert (await line.ask(frame(1, JPEG)))["verdict"] in GOOD  # Nobody has told the socket.
        close, said = await line.end()
        assert (close, [answer["code"] for answer in said]) == (4403, ["revoked"])
        assert time.monotonic() - began < RECHECK_S + 2


# --- In the end ------------------------------------------------------------------------------------------------------


async def test_metrics_and_coverage_agree_on_every_camera_in_the_end(site: Site, posts: dict[str, Post]) -> None:
    """Whatever it was sent, in whatever order the tests above ran."""
    verdicts = ("invalid", "busy", "no_motion", "no_person", "admitted")
    deadline = time.monotonic() + PATIENCE_S
    for post in posts.values():
        answered = site.metric("omil_frames_total", by="verdict", camera=post.slug)
        expected = {verdict: answered.get(verdict, 0) for verdict in verdicts}
        while {verdict: (coverage := site.coverage(post))[verdict] for verdict in verdicts} != expected:
            assert time.monotonic() < deadline, f"{post.slug}: {coverage} is not {expected}"
            await asyncio.sleep(0.2)
        assert coverage["received"] == sum(expected.values())
        assert coverage["admitted"] == coverage["analysed"] + coverage["waiting"] + coverage["failed"]
