"""Webhooks: signed, in order, again until taken or given up, and never where they must not go."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Membership, User
from api import collect, deliver, signing
from api.collect import Draft
from api.deliver import GIVE_UP_AFTER, PAUSES_S
from api.models import Delivery, Event, EventType, Webhook
from api.notify import serve
from api.post import Answer, Letter, post, what_is_wrong
from cameras.models import Camera
from tests.api.conftest import make_visit
from tests.api.receiver import Receiver

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + "c2VjcmV0" * 4


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Settings) -> None:
    settings.PULL_ALLOW = ["127.0.0.1"]


def hook_of(user: User, receiver: Receiver, **changes: object) -> Webhook:
    return Webhook.objects.create(user=user, name="A program", url=receiver.url, **changes)


def happen(camera: Camera, number: int, now: datetime | None = None) -> None:
    """An event of this camera."""
    visit = make_visit(camera, number)
    draft = Draft(EventType.VISIT_STARTED, camera.pk, visit.pk, visit.first_seen, {"number": number})
    collect.store([draft], now or timezone.now())


def go(now: datetime) -> list[tuple[int, str]]:
    """Sends all that is due once; what each was about, and the answer."""
    found = []
    while due := deliver.due(now, set()):
        for each in due:
            answer = async_to_sync(post)(each.letter)
            deliver.settle(each.delivery_id, answer, now)
            found.append((Event.objects.get(deliveries=each.delivery_id).data["number"], answer.text))
    return found


def test_a_message_can_be_verified_by_its_receiver(alice: User, camera_x: Camera) -> None:
    with Receiver() as receiver:
        hook = hook_of(alice, receiver)
        happen(camera_x, 1)
        assert go(timezone.now()) == [(1, "204")]
        (got,) = receiver.received
        event = Event.objects.get()
        message = got.verified(signing.secret_of(hook))
        assert message == {
            "id": str(event.key),
            "type": "visit.started",
            "timestamp": "2026-03-04T12:01:00.000Z",
            "camera": camera_x.slug,
            "data": {"number": 1},
        }
        assert got.headers["webhook-id"] == got.headers["Idempotency-Key"] == str(event.key)
        before = signing.secret_of(hook)
        assert signing.renew(hook) != before
        with pytest.raises(Exception, match="No matching signature"):
            got.verified(signing.secret_of(hook))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.answer) == ("delivered", 1, "204")


def test_it_is_sent_again_with_growing_pauses_in_order_and_with_the_same_id(
    alice: User, camera_x: Camera, unit_x: object
) -> None:
    other = Camera.objects.create(name="Other", unit=camera_x.unit)
    now = timezone.now()
    with Receiver(answers=deque([500, 429])) as receiver:
        hook_of(alice, receiver)
        for number, camera in enumerate([camera_x, camera_x, other], 1):
            happen(camera, number, now)
        # The first fails, and the one behind it waits; the other camera's does not.
        receiver.answers = deque([500])
        assert go(now) == [(1, "500"), (3, "204")]
        assert go(now + timedelta(seconds=PAUSES_S[0] - 1)) == []
        receiver.answers = deque([429])
        later = now + timedelta(seconds=PAUSES_S[0])
        assert go(later) == [(1, "429")]
        assert go(later + timedelta(seconds=PAUSES_S[1])) == [(1, "204"), (2, "204")]
        ids = [got.headers["webhook-id"] for got in receiver.received]
    assert ids[0] == ids[2] == ids[3]
    assert len(set(ids)) == 3


def test_it_is_given_up_in_the_end_and_the_next_one_has_its_turn(alice: User, camera_x: Camera) -> None:
    now = timezone.now()
    with Receiver(answers=deque([500] * (len(PAUSES_S) + 1))) as receiver:
        hook_of(alice, receiver)
        happen(camera_x, 1, now)
        for pause_s in (*PAUSES_S, 0):
            assert go(now) == [(1, "500")]
            now += timedelta(seconds=pause_s)
        happen(camera_x, 2, now)
        assert go(now) == [(2, "204")]
    first = Delivery.objects.order_by("pk").first()
    assert first is not None
    assert (first.state, first.tries, first.answer) == ("given_up", len(PAUSES_S) + 1, "500")
    assert timedelta(seconds=sum(PAUSES_S)) < GIVE_UP_AFTER


def test_what_waited_for_a_day_is_no_news_any_more(alice: User, camera_x: Camera) -> None:
    now = timezone.now()
    with Receiver() as receiver:
        hook_of(alice, receiver)
        happen(camera_x, 1, now - GIVE_UP_AFTER - timedelta(minutes=1))
        happen(camera_x, 2, now)
        assert go(now) == [(2, "204")]
    assert Delivery.objects.filter(state="given_up").count() == 1


def test_nothing_goes_to_who_may_not_watch_any_more(alice: User, camera_x: Camera) -> None:
    with Receiver() as receiver:
        hook_of(alice, receiver)
        happen(camera_x, 1)
        Membership.objects.filter(user=alice).delete()
        assert go(timezone.now()) == []
        assert receiver.received == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer) == ("given_up", "its user may no longer watch this camera")


def test_a_webhook_that_is_off_gets_nothing_until_it_is_on(alice: User, camera_x: Camera) -> None:
    with Receiver() as receiver:
        hook_of(alice, receiver)
        happen(camera_x, 1)
        Webhook.objects.update(is_enabled=False)
        assert go(timezone.now()) == []
        Webhook.objects.update(is_enabled=True)
        assert go(timezone.now()) == [(1, "204")]


def test_one_webhook_does_not_take_all_the_room(alice: User, unit_x: object) -> None:
    now = timezone.now()
    with Receiver() as receiver:
        for _ in range(2):
            hook_of(alice, receiver)
        for number in range(8):
            happen(Camera.objects.create(name=f"Gate {number}", unit=alice.memberships.get().unit), number, now)
        due = deliver.due(now, set())
        assert len(due) == 2 * deliver.MOST_OF_ONE
        assert deliver.due(now, {each.lane for each in due}) == []


# --- Sending ---


def sent(url: str) -> Answer:
    return async_to_sync(post)(Letter("an id", url, SECRET, b"{}"))


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as other, Receiver(answers=deque([other.url])) as receiver:
        assert sent(receiver.url) == Answer(False, "it sends us elsewhere, and redirects are not followed")
        assert other.received == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_an_address_that_only_this_machine_reaches_is_refused(settings: Settings, host: str) -> None:
    settings.PULL_ALLOW = []
    answer = sent(f"http://{host}:9/")
    assert not answer.is_taken
    assert answer.text in {"its address is not allowed", "its host name is not known"}


def test_a_name_is_resolved_once_and_the_checked_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a name that changes between the check and the connection would lead anywhere."""
    import socket

    real, asked = socket.getaddrinfo, []

    def look_up(host: str, *rest: object, **options: object) -> object:
        asked.append(host)
        return real("127.0.0.1" if host == "hooks.example" else host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Receiver() as receiver:
        assert sent(receiver.url.replace("127.0.0.1", "hooks.example")).is_taken
        assert receiver.received[0].headers["Host"].startswith("hooks.example:")
    assert asked.count("hooks.example") == 1


def test_a_receiver_that_does_not_answer_costs_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.post.TIMEOUT_S", 0.3)
    with Receiver(wait_s=0.8) as receiver:
        began = time.monotonic()
        assert sent(receiver.url) == Answer(False, "it did not answer in time")
        assert time.monotonic() - began < 0.7


def test_a_port_that_nobody_listens_on_is_said(unused_tcp_port: int) -> None:
    assert sent(f"http://127.0.0.1:{unused_tcp_port}/") == Answer(False, "the connection is refused or broken")


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://example.org/hook?x=1", True),
        ("http://10.0.0.7:8080/", True),
        ("ftp://example.org/", False),
        ("https:///x", False),
        ("https://example.org:99999/", False),
        ("https://user:password@example.org/", False),
        ("https://example.org/a b", False),
        ("https://example.org/a\nb", False),
        ("javascript:alert(1)", False),
        ("http://[::1", False),
    ],
)
def test_an_address_as_it_is_written(url: str, is_right: bool) -> None:
    assert (what_is_wrong(url) == "") is is_right


# --- The process ---


@pytest.mark.django_db(transaction=True)
def test_the_process_collects_and_delivers(alice: User, camera_x: Camera, valkey: str) -> None:
    """In real time, from a visit's row to the receiver."""

    async def run(receiver: Receiver) -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(stop))
        async with asyncio.timeout(10):
            while not receiver.received:
                await asyncio.sleep(0.02)
        stop.set()
        await serving

    with Receiver() as receiver:
        hook = hook_of(alice, receiver, events=["visit.started"])
        collect.since(timezone.now() - timedelta(minutes=1), is_deep=False)
        make_visit(camera_x, first_seen=timezone.now(), last_seen=timezone.now(), state="present", ended_at=None)
        asyncio.run(run(receiver))
        assert receiver.received[0].verified(signing.secret_of(hook))["type"] == "visit.started"
