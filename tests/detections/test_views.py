"""The operators' pages: who sees what, what the list's filter and pages show, and that a picture is nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import Membership, Role, Unit, User
from cameras.analysis import AnalysisState
from cameras.models import Camera, CoverageMinute
from detections import snapshot, views, weights
from detections.models import Visit

pytestmark = pytest.mark.django_db
DASHBOARD, LIST = "/", "/visits/"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
FULL = (1 << 60) - 1
NO_ANALYSIS = AnalysisState(is_down=True, workers=0, frame_s=0.05)
MakeVisit = Callable[..., Visit]


@pytest.fixture(autouse=True)
def _no_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a Valkey whether analysis is at work."""
    monkeypatch.setattr("cameras.analysis.look", lambda _connection: NO_ANALYSIS)


@pytest.fixture
def make_visit(camera_x: Camera) -> MakeVisit:
    def make(first_seen: datetime = NOON, seconds: float = 30, **changes: Any) -> Visit:
        values: dict[str, Any] = {
            "camera": camera_x,
            "stream": "0" * 32,
            "first_seq": 1,
            "state": Visit.State.ENDED,
            "end_reason": Visit.EndReason.LEFT,
            "first_seen": first_seen,
            "last_seen": first_seen + timedelta(seconds=seconds),
            "ended_at": first_seen + timedelta(seconds=seconds + 10),
        }
        return Visit.objects.create(**{**values, **changes})

    return make


@pytest.fixture
def with_picture(make_visit: MakeVisit) -> Visit:
    name = "visits/1/2026-03-04/best.jpg"
    path = Path(conf.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xd8 the best picture")
    return make_visit(picture=name)


def shown(response: Any) -> list[str]:
    """The ids of the visits in a page, in their order."""
    return re.findall(r'data-visit="([0-9a-f-]{36})"', response.content.decode())


# --- Who sees what ---


def pages_of(visit: Visit) -> list[str]:
    return [
        DASHBOARD,
        LIST,
        reverse("detections:camera", args=[visit.camera.slug]),
        reverse("detections:visit", args=[visit.id]),
    ]


def test_an_operator_opens_every_page(client: Client, bob: User, make_visit: MakeVisit) -> None:
    visit = make_visit()
    client.force_login(bob)
    for page in pages_of(visit):
        assertContains(client.get(page), visit.camera.name)


def test_anonymous_people_log_in_first(client: Client, with_picture: Visit) -> None:
    for page in [*pages_of(with_picture), reverse("detections:visit-picture", args=[with_picture.id])]:
        assertRedirects(client.get(page), f"/login/?next={page}", fetch_redirect_response=False)


def test_a_guard_post_lands_on_its_capture_pages(client: Client, gina: User, make_visit: MakeVisit) -> None:
    client.force_login(gina)
    for page in pages_of(make_visit()):
        assertRedirects(client.get(page), "/capture/", fetch_redirect_response=False)


def test_an_account_that_lost_its_approval_logs_in_again(client: Client, bob: User) -> None:
    client.force_login(bob)
    User.objects.filter(pk=bob.pk).update(is_approved=False)
    assert client.get(DASHBOARD).status_code == 302


def test_another_unit_sees_nothing_of_it(client: Client, charlie: User, camera_y: Camera, with_picture: Visit) -> None:
    client.force_login(charlie)
    for page in [DASHBOARD, LIST]:
        response = client.get(page)
        assertContains(response, camera_y.name)
        assertNotContains(response, with_picture.camera.name)
        assert shown(response) == []
    for page in pages_of(with_picture)[2:]:
        assert client.get(page).status_code == 404
    assert client.get(reverse("detections:visit-picture", args=[with_picture.id])).status_code == 404


def test_the_camera_filter_offers_and_takes_only_own_cameras(
    client: Client, charlie: User, camera_x: Camera, camera_y: Camera, make_visit: MakeVisit
) -> None:
    make_visit()
    client.force_login(charlie)
    response = client.get(LIST, {"camera": camera_x.slug})
    assertNotContains(response, camera_x.name)
    assert shown(response) == []


def test_who_is_operator_here_and_guard_post_there_watches_only_here(
    client: Client, bob: User, unit_y: Unit, camera_x: Camera, camera_y: Camera
) -> None:
    Membership.objects.create(user=bob, unit=unit_y, role=Role.GUARD_POST)
    client.force_login(bob)
    response = client.get(DASHBOARD)
    assertContains(response, camera_x.name)
    assertNotContains(response, camera_y.name)


def test_a_camera_name_is_text_and_nothing_else(client: Client, bob: User, camera_x: Camera) -> None:
    Camera.objects.filter(pk=camera_x.pk).update(name='<script>alert(1)</script>"><img src=x>')
    client.force_login(bob)
    for page in [DASHBOARD, LIST, reverse("detections:camera", args=[camera_x.slug])]:
        response = client.get(page)
        assertNotContains(response, "<script>alert")
        assertNotContains(response, "<img src=x>")


@pytest.mark.parametrize("page", [DASHBOARD, LIST])
def test_pages_are_never_kept_by_a_browser(client: Client, bob: User, page: str) -> None:
    client.force_login(bob)
    assert "no-store" in client.get(page)["Cache-Control"]


def test_only_reading_is_possible(client: Client, bob: User, make_visit: MakeVisit) -> None:
    client.force_login(bob)
    for page in pages_of(make_visit()):
        assert client.post(page).status_code == 405


# --- The picture ---


def test_the_picture_is_private_and_asked_for_each_time(client: Client, bob: User, with_picture: Visit) -> None:
    client.force_login(bob)
    response = client.get(reverse("detections:visit-picture", args=[with_picture.id]))
    assert (response["Content-Type"], response.content) == ("image/jpeg", b"\xff\xd8 the best picture")
    assert {"private", "max-age=0", "must-revalidate"} <= set(response["Cache-Control"].split(", "))
    again = client.get(response.request["PATH_INFO"], headers={"if-none-match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_better_picture_is_not_taken_for_the_old_one(client: Client, bob: User, with_picture: Visit) -> None:
    client.force_login(bob)
    url = reverse("detections:visit-picture", args=[with_picture.id])
    old = client.get(url)["ETag"]
    (Path(conf.MEDIA_ROOT) / with_picture.picture).write_bytes(b"\xff\xd8 a better one")
    assert client.get(url, headers={"if-none-match": old}).status_code == 200


@pytest.mark.parametrize("name", ["", "visits/1/gone.jpg"])
def test_a_picture_that_is_not_there_is_not_found(client: Client, bob: User, make_visit: MakeVisit, name: str) -> None:
    client.force_login(bob)
    assert client.get(reverse("detections:visit-picture", args=[make_visit(picture=name).id])).status_code == 404


# --- The dashboard ---


def test_a_tile_says_how_the_camera_is_before_any_script_runs(client: Client, bob: User, camera_x: Camera) -> None:
    client.force_login(bob)
    assertContains(client.get(DASHBOARD), 'data-status="silent"')
    Camera.objects.filter(pk=camera_x.pk).update(is_enabled=False)
    assertContains(client.get(DASHBOARD), 'data-status="off"')


def test_without_a_camera_it_says_what_to_do_next(client: Client, alice: User, bob: User) -> None:
    client.force_login(alice)
    assertContains(client.get(DASHBOARD), reverse("admin:cameras_camera_add"))
    client.force_login(bob)
    response = client.get(DASHBOARD)
    assertContains(response, "no camera yet")
    assertNotContains(response, reverse("admin:cameras_camera_add"))


def test_the_feed_is_bounded(client: Client, bob: User, make_visit: MakeVisit) -> None:
    visits = [make_visit(NOON + timedelta(minutes=n)) for n in range(views.FEED_LENGTH + 5)]
    client.force_login(bob)
    assert shown(client.get(DASHBOARD)) == [str(visit.id) for visit in reversed(visits)][: views.FEED_LENGTH]


def test_more_cameras_cost_no_more_queries(
    client: Client, bob: User, camera_x: Camera, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Camera.objects.bulk_create(Camera(name=f"Gate {n}", slug=f"gate-{n}", unit=camera_x.unit) for n in range(30))
    client.force_login(bob)
    with django_assert_max_num_queries(12):
        assertContains(client.get(DASHBOARD), "Gate 29")


def test_only_pages_that_are_the_users_stand_in_the_bar(client: Client, alice: User, bob: User, gina: User) -> None:
    def places(user: User, page: str) -> set[str]:
        client.force_login(user)
        bar = client.get(page).content.decode().split("<header")[1].split("</header>")[0]
        return {place for place in ["/visits/", "/capture/", "/admin/"] if f'href="{place}"' in bar}

    assert places(alice, DASHBOARD) == {"/visits/", "/capture/", "/admin/"}
    assert places(bob, DASHBOARD) == {"/visits/", "/capture/"}
    assert places(gina, "/capture/") == {"/capture/"}


# --- A camera and its day ---


def minute(camera: Camera, at: datetime, **changes: Any) -> None:
    CoverageMinute.objects.create(camera=camera, minute=at, **{"received": 60, "judged_mask": FULL, **changes})


def test_the_day_is_the_viewers_own(client: Client, bob: User, camera_x: Camera, make_visit: MakeVisit) -> None:
    # 18:30 UTC is half past three of the next day in Seoul.
    visit = make_visit(datetime(2026, 3, 3, 18, 30, tzinfo=UTC))
    client.force_login(bob)
    url = reverse("detections:camera", args=[camera_x.slug])
    assert shown(client.get(url, {"date": "2026-03-04"})) == []
    client.cookies["tz"] = "Asia%2FSeoul"
    response = client.get(url, {"date": "2026-03-04"})
    assert shown(response) == [str(visit.id)]
    assertContains(response, "03:30:00")


def test_the_legend_counts_the_minutes_of_each_kind(client: Client, bob: User, camera_x: Camera) -> None:
    minute(camera_x, NOON)
    minute(camera_x, NOON + timedelta(minutes=1), people_mask=1, max_people=3)
    minute(camera_x, NOON + timedelta(minutes=2), judged_mask=FULL >> 1)
    minute(camera_x, NOON + timedelta(minutes=3), judged_mask=0)
    client.force_login(bob)
    response = client.get(reverse("detections:camera", args=[camera_x.slug]), {"date": "2026-03-04"})
    assert response.context["totals"] == {"clear": 1, "people": 1, "partly": 1, "unanalysed": 1, "none": 1436}


def test_the_gates_misses_are_told(client: Client, bob: User, camera_x: Camera, camera_y: Camera) -> None:
    minute(camera_x, NOON, samples=7, misses=1)
    minute(camera_x, NOON + timedelta(hours=1), samples=5)
    minute(camera_x, NOON + timedelta(days=1), samples=50)
    minute(camera_y, NOON, samples=500, misses=500)
    client.force_login(bob)
    response = client.get(reverse("detections:camera", args=[camera_x.slug]), {"date": "2026-03-04"})
    assertContains(response, "1 of 12 sampled pictures")


@pytest.mark.parametrize("asked", ["", "yesterday", "2026-13-45", "9999-12-31", "0001-01-01"])
def test_a_date_that_is_none_shows_a_day_all_the_same(client: Client, bob: User, camera_x: Camera, asked: str) -> None:
    client.force_login(bob)
    response = client.get(reverse("detections:camera", args=[camera_x.slug]), {"date": asked})
    assert response.status_code == 200
    assert response.context["day"] <= timezone.localdate()


def test_there_is_no_next_day_after_today(client: Client, bob: User, camera_x: Camera) -> None:
    client.force_login(bob)
    url = reverse("detections:camera", args=[camera_x.slug])
    assertNotContains(client.get(url), 'rel="next"')
    assertContains(client.get(url, {"date": "2026-03-04"}), 'href="?date=2026-03-05" rel="next"')


# --- The list ---


def test_pages_follow_on_without_a_gap_or_a_repeat(client: Client, bob: User, make_visit: MakeVisit) -> None:
    # All at one instant: only the id tells their order.
    made = {str(make_visit().id) for _ in range(2 * views.PAGE_LENGTH + 3)}
    client.force_login(bob)
    seen: list[str] = []
    url = LIST
    for _page in range(3):
        response = client.get(url)
        seen += shown(response)
        make_visit(NOON + timedelta(hours=1))  # What comes meanwhile moves nothing.
        url = f"{LIST}?{response.context['next']}"
    assert response.context["next"] == ""
    assert len(seen) == len(made)
    assert set(seen) == made


@pytest.mark.parametrize("place", ["nonsense", "2026-03-04T12:00:00~x", "~", "2026-03-04T12:00:00~" + "0" * 32])
def test_a_place_that_is_none_begins_at_the_top(client: Client, bob: User, make_visit: MakeVisit, place: str) -> None:
    visit = make_visit()
    client.force_login(bob)
    assert shown(client.get(LIST, {"before": place})) == [str(visit.id)]


@pytest.mark.parametrize(
    ("query", "fitting"),
    [
        ({}, {"short", "long", "lost", "here", "doubtful"}),
        ({"state": "left"}, {"short", "long", "doubtful"}),
        ({"state": "camera_lost"}, {"lost"}),
        ({"state": "present"}, {"here"}),
        ({"state": "out_of_sight"}, set()),
        ({"duration": "under-10s"}, {"short"}),
        ({"duration": "10s-1m"}, {"lost", "doubtful"}),
        ({"duration": "over-10m"}, {"long", "here"}),  # Who is present has been there until now.
        ({"unverified": "on"}, {"doubtful"}),
        # The long one, begun on the 3rd, still lasts on the 4th.
        ({"start": "2026-03-04"}, {"short", "long", "lost", "here"}),
        ({"end": "2026-03-03"}, {"long", "doubtful"}),
        ({"start": "2026-03-04", "end": "2026-03-04", "state": "left"}, {"short", "long"}),
        # What is no filter shows nothing rather than everything.
        ({"state": "asleep"}, set()),
        ({"camera": "no-such-camera"}, set()),
        ({"start": "soon"}, set()),
        ({"start": "2026-03-04", "end": "2026-03-03"}, set()),
    ],
)
def test_the_filter_shows_what_fits(
    client: Client, bob: User, make_visit: MakeVisit, query: dict[str, str], fitting: set[str]
) -> None:
    lost, present = Visit.EndReason.CAMERA_LOST, Visit.State.PRESENT
    made = {
        "short": make_visit(NOON, 9.5),
        "long": make_visit(NOON - timedelta(hours=12, minutes=5), 1_200),
        "lost": make_visit(NOON, 30, end_reason=lost),
        "here": make_visit(NOON, 30, state=present, end_reason="", ended_at=None),
        "doubtful": make_visit(NOON - timedelta(days=1), 30, is_verified=False),
    }
    client.force_login(bob)
    found = set(shown(client.get(LIST, query)))
    assert found == {str(made[name].id) for name in fitting}


def test_a_wrong_filter_says_what_is_wrong(client: Client, bob: User, make_visit: MakeVisit) -> None:
    client.force_login(bob)
    assertContains(client.get(LIST, {"start": "2026-03-04", "end": "2026-03-03"}), "before the first one")


def test_a_script_gets_the_rows_alone(client: Client, bob: User, make_visit: MakeVisit) -> None:
    visit = make_visit()
    client.force_login(bob)
    part = client.get(LIST, headers={"hx-request": "true"})
    assert shown(part) == [str(visit.id)]
    assertNotContains(part, "<html")
    # The two answers of one address must not be taken for each other.
    assert "HX-Request" in part["Vary"]


def test_the_filter_stays_on_the_next_page(client: Client, bob: User, make_visit: MakeVisit) -> None:
    for n in range(views.PAGE_LENGTH + 1):
        make_visit(NOON + timedelta(minutes=n), 5)
    make_visit(NOON - timedelta(hours=1), 300)
    client.force_login(bob)
    first = client.get(LIST, {"duration": "under-10s"})
    assert len(shown(client.get(f"{LIST}?{first.context['next']}"))) == 1


# --- One visit ---


def test_the_course_of_a_visit_is_in_the_order_of_time(make_visit: MakeVisit) -> None:
    visit = make_visit(settled_at=NOON + timedelta(seconds=6))
    assert [moment.kind for moment in views.course_of(visit)] == ["first_seen", "settled", "last_seen", "left"]


def test_a_visit_names_its_neighbours_before_the_same_camera(
    client: Client, bob: User, camera_x: Camera, make_visit: MakeVisit
) -> None:
    other = Camera.objects.create(name="Side door", unit=camera_x.unit)
    older, visit, newer = (make_visit(NOON + timedelta(minutes=n)) for n in (0, 10, 20))
    make_visit(NOON + timedelta(minutes=5), camera=other)
    client.force_login(bob)
    context = client.get(reverse("detections:visit", args=[visit.id])).context
    assert (context["older"], context["newer"]) == (older, newer)


def test_pages_speak_korean(client: Client, bob: User, camera_x: Camera, settings: Settings) -> None:
    client.force_login(bob)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "ko"
    response = client.get(DASHBOARD)
    assertContains(response, '<html lang="ko">')
    assertContains(response, "실시간")


def test_the_fallback_detector_is_named(client: Client, alice: User, bob: User, camera_x: Camera) -> None:
    weights.announce(name="omil-person · OpenVINO", is_fallback=True)
    client.force_login(bob)
    response = client.get(DASHBOARD)
    assertContains(response, "data-fallback")
    assertContains(response, "omil-person · OpenVINO")
    # How to change it is of use to those who can.
    assertNotContains(response, "prepare_models")
    client.force_login(alice)
    assertContains(client.get(DASHBOARD), "prepare_models")


def test_that_no_model_can_serve_is_said_loudly(client: Client, alice: User, camera_x: Camera) -> None:
    weights.announce(name="", is_fallback=True, reason="A file is damaged.")
    client.force_login(alice)
    response = client.get(DASHBOARD)
    assertContains(response, "Nothing is analysed")
    assertContains(response, "A file is damaged.")


@pytest.mark.parametrize("is_fallback", [False, True])
def test_the_admin_names_the_detector(client: Client, root: User, is_fallback: bool) -> None:
    weights.announce(name="omil-person · OpenVINO", is_fallback=is_fallback)
    client.force_login(root)
    response = client.get(reverse("admin:index"))
    assertContains(response, "omil-person · OpenVINO")
    assertContains(response, "licences", count=int(is_fallback))


def test_a_model_in_use_is_not_worth_a_notice(client: Client, bob: User, camera_x: Camera) -> None:
    weights.announce(name="yolo26n", is_fallback=False)
    client.force_login(bob)
    assertNotContains(client.get(DASHBOARD), "data-fallback")


def test_what_a_tile_shows_is_what_the_socket_says(camera_x: Camera) -> None:
    message = snapshot.message_of(camera_x, snapshot.describe(camera_x, NO_ANALYSIS))
    (tile,) = views.tiles_of([camera_x])
    assert (tile.state, tile.since) == (message["status"], message["since"])


# --- Who is still there ---


@pytest.mark.parametrize("query", [{}, {"start": "today"}, {"duration": "over-10m"}])
def test_who_has_been_there_since_yesterday_is_found_today(
    client: Client, bob: User, make_visit: MakeVisit, query: dict[str, str]
) -> None:
    """Of who is present the row is written when they come, and next as they go."""
    came = timezone.now() - timedelta(days=1)
    visit = make_visit(came, 6, state=Visit.State.PRESENT, end_reason="", ended_at=None)
    client.force_login(bob)
    if "start" in query:
        query = {"start": f"{timezone.localdate():%Y-%m-%d}"}
    assert shown(client.get(LIST, query)) == [str(visit.id)]
    assert shown(client.get(LIST, {"duration": "under-10s"})) == []
    day = client.get(reverse("detections:camera", args=[visit.camera.slug]))
    assert shown(day) == [str(visit.id)]
    assert [span for segment in day.context["segments"] for span in segment.visits]


# --- Requests that are no good ---


@pytest.mark.parametrize(
    "query",
    [
        {"end": "9999-12-31"},
        {"start": "0001-01-01"},
        {"before": "9999-12-31T23:59:59-10:00~00000000-0000-0000-0000-000000000000"},
        {"before": "0001-01-01T00:00:00+14:00~00000000-0000-0000-0000-000000000000"},
    ],
)
def test_days_beyond_the_calendar_are_answered(client: Client, bob: User, query: dict[str, str]) -> None:
    client.force_login(bob)
    client.cookies["tz"] = "Asia/Seoul"
    assert client.get(LIST, query).status_code == 200


@pytest.mark.parametrize("page", [LIST, "/recordings/", "/recordings/timeline.json", "/alarms/", "/profiles/"])
def test_a_zero_in_a_query_is_refused(client: Client, bob: User, page: str) -> None:
    client.force_login(bob)
    assert client.get(page, {"camera": "\0"}).status_code == 400
