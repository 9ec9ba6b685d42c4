"""The guard post's pages: who gets in, by which proof, and what strangers learn."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects, assertTemplateUsed

from accounts.models import Unit, User
from cameras import enrolment
from cameras.models import Camera, Device, Enrolment

pytestmark = pytest.mark.django_db
LOG_IN, LIST = reverse("accounts:log-in"), reverse("cameras:capture-list")
ROLES = ["alice", "bob", "gina", "charlie", "root", "pending", "anonymous"]
LogIn = Callable[[str], Client]


def capture_page(camera: Camera) -> str:
    return reverse("cameras:capture", args=[camera.slug])


def link_of(camera: Camera) -> str:
    return urlsplit(enrolment.create(camera, by=None).url).path


def enrol(client: Client, camera: Camera) -> Device:
    assertRedirects(client.post(link_of(camera)), capture_page(camera), fetch_redirect_response=False)
    return camera.devices.latest("created_at")


@pytest.fixture
def as_user(client: Client, alice: User, bob: User, gina: User, charlie: User, root: User, pending: User) -> LogIn:
    def log_in(name: str) -> Client:
        if name != "anonymous":
            client.force_login(User.objects.get(username=name))
        return client

    return log_in


# --- The table: every page of this app, for every role; X is the unit of alice, bob and gina, Y charlie's.

SIGN_IN = 302
TABLE = {
    #                  alice bob gina charlie root pending anonymous
    "capture X":      (200, 200, 200, 404, 200, SIGN_IN, SIGN_IN),
    "capture Y":      (404, 404, 404, 200, 200, SIGN_IN, SIGN_IN),
    "capture nobody": (404, 404, 404, 404, 404, SIGN_IN, SIGN_IN),
    "capture pulled": (404, 404, 404, 404, 404, SIGN_IN, SIGN_IN),
    "list":           (200, 200, 200, 200, 200, SIGN_IN, SIGN_IN),
    # A link is its own proof, whoever opens it.
    "enrol X":        (200,) * 7,
    "enrol nobody":   (404,) * 7,
    # Empty for whoever watches no camera.
    "alarms":         (200, 200, 200, 200, 200, SIGN_IN, SIGN_IN),
}  # fmt: skip


@pytest.fixture
def addresses(camera_x: Camera, camera_y: Camera, unit_x: Unit) -> dict[str, str]:
    Camera.objects.create(name="Pulled", unit=unit_x, source="rtsp://10.0.0.9/")
    return {
        "capture X": capture_page(camera_x),
        "capture Y": capture_page(camera_y),
        "capture nobody": "/capture/no-such-camera/",
        "capture pulled": "/capture/pulled/",
        "list": LIST,
        "enrol X": link_of(camera_x),
        "enrol nobody": "/enrol/nothing/",
        "alarms": "/alarms/",
    }


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", TABLE)
def test_each_page_opens_to_whom_it_should(as_user: LogIn, addresses: dict[str, str], page: str, role: str) -> None:
    response = as_user(role).get(addresses[page])
    assert response.status_code == TABLE[page][ROLES.index(role)]
    if response.status_code == SIGN_IN:
        # The same answer whether there is such a camera or not.
        assertRedirects(response, f"{LOG_IN}?next={addresses[page]}")


def test_the_table_names_every_page_of_this_app() -> None:
    from cameras.urls import urlpatterns

    assert {str(pattern.name).removeprefix("capture-") for pattern in urlpatterns} == {
        page.split()[0] for page in TABLE
    }


# --- Capture


def test_a_members_page_names_camera_and_unit_and_is_not_kept(as_user: LogIn, camera_x: Camera) -> None:
    response = as_user("gina").get(capture_page(camera_x))
    assertTemplateUsed(response, "cameras/capture.html")
    assertContains(response, "Gate X")
    assertContains(response, "Unit X")
    assert "no-store" in response["Cache-Control"]
    assert response.context["device"] is None
    assert not [name for name in response.cookies if name.startswith(enrolment.COOKIE_PREFIX)]


def test_an_enrolled_browser_opens_its_own_cameras_page_only(
    client: Client, camera_x: Camera, camera_y: Camera
) -> None:
    device = enrol(client, camera_x)
    response = client.get(capture_page(camera_x))
    assert response.status_code == 200
    assert response.context["device"] == device
    assert client.get(capture_page(camera_y)).status_code == SIGN_IN
    snapshot = reverse("detections:snapshot", args=[camera_x.slug])
    for page in [snapshot, reverse("detections:dashboard"), reverse("admin:index")]:
        assert client.get(page).status_code == SIGN_IN
    device.refresh_from_db()
    assert device.last_seen_at is not None


def test_opening_the_page_renews_the_cookie(client: Client, camera_x: Camera, settings: Settings) -> None:
    enrol(client, camera_x)
    settings.DEVICE_COOKIE_S = 1_234
    response = client.get(capture_page(camera_x))
    assert response.cookies[enrolment.cookie_name(camera_x.pk)]["max-age"] == 1_234


def test_a_revoked_browser_is_a_stranger(client: Client, camera_x: Camera) -> None:
    enrolment.revoke(enrol(client, camera_x))
    assert client.get(capture_page(camera_x)).status_code == SIGN_IN
    assert client.get(LIST).status_code == SIGN_IN


def test_one_browser_serves_several_cameras(client: Client, camera_x: Camera, camera_y: Camera) -> None:
    enrol(client, camera_x)
    enrol(client, camera_y)
    for camera in (camera_x, camera_y):
        assert client.get(capture_page(camera)).status_code == 200


def test_a_camera_that_is_off_says_so_to_those_who_know_it(
    client: Client, camera_x: Camera, gina: User, charlie: User
) -> None:
    enrol(client, camera_x)
    Camera.objects.update(is_enabled=False)
    assertContains(client.get(capture_page(camera_x)), "switched this camera off", status_code=409)
    member, stranger = Client(), Client()
    member.force_login(gina)
    stranger.force_login(charlie)
    assertContains(member.get(capture_page(camera_x)), "switched this camera off", status_code=409)
    assert stranger.get(capture_page(camera_x)).status_code == 404
    assertContains(client.get(LIST), "switched off")


# --- Picking a camera


def test_the_list_names_ones_own_cameras(as_user: LogIn, camera_x: Camera, camera_y: Camera) -> None:
    response = as_user("gina").get(LIST)
    assertContains(response, "Gate X")
    assertContains(response, capture_page(camera_x))
    assertNotContains(response, "Gate Y")


def test_the_list_names_the_cameras_a_browser_is_enrolled_as_without_log_in(
    client: Client, camera_x: Camera, camera_y: Camera
) -> None:
    enrol(client, camera_y)
    response = client.get(LIST)
    assertContains(response, "Gate Y")
    assertNotContains(response, "Gate X")


def test_the_list_names_a_camera_once_for_a_member_in_an_enrolled_browser(
    as_user: LogIn, camera_x: Camera, camera_y: Camera
) -> None:
    client = as_user("gina")
    for camera in (camera_x, camera_y):
        enrol(client, camera)
    assert client.get(LIST).context["cameras"] == [camera_x, camera_y]


def test_the_list_takes_few_queries_however_many_cameras_there_are(
    as_user: LogIn, unit_x: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(30):
        Camera.objects.create(name=f"Gate {n}", unit=unit_x)
    client = as_user("gina")
    with django_assert_max_num_queries(12):
        assertContains(client.get(LIST), "Gate 29")


def test_a_member_without_cameras_is_told_whom_to_ask(as_user: LogIn) -> None:
    assertContains(as_user("gina").get(LIST), "Ask a unit admin")


# --- Enrolment


def test_looking_at_a_link_does_not_use_it_up(client: Client, camera_x: Camera) -> None:
    link = link_of(camera_x)
    for method in (client.get, client.head, client.get):
        response = method(link)
        assert response.status_code == 200
    assertContains(response, "Gate X")
    assert "no-store" in response["Cache-Control"]
    assert not Device.objects.exists()
    assert not [name for name in response.cookies if name.startswith(enrolment.COOKIE_PREFIX)]


def test_the_button_needs_the_pages_own_form(camera_x: Camera, settings: Settings) -> None:
    client, link = Client(enforce_csrf_checks=True), link_of(camera_x)
    assert client.post(link).status_code == 403
    client.get(link)
    form = {"csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value}
    assert client.post(link, form).status_code == 302
    assert Device.objects.get().camera == camera_x


def test_a_link_enrols_the_first_browser_and_refuses_the_second(client: Client, camera_x: Camera) -> None:
    link, second = link_of(camera_x), Client()
    client.post(link, headers={"user-agent": "Guard post browser"})
    assert Device.objects.get().user_agent == "Guard post browser"
    for response in (second.get(link), second.post(link)):
        assert (response.status_code, response.context["standing"]) == (410, "used")
    assert second.get(capture_page(camera_x)).status_code == SIGN_IN
    assert client.get(capture_page(camera_x)).status_code == 200


@pytest.mark.parametrize(
    ("field", "standing"), [("expires_at", "expired"), ("revoked_at", "revoked"), ("used_at", "used")]
)
def test_a_link_past_its_use_says_why(client: Client, camera_x: Camera, field: str, standing: str) -> None:
    link = link_of(camera_x)
    Enrolment.objects.update(**{field: timezone.now()})
    for response in (client.get(link), client.post(link)):
        assert response.context["standing"] == standing
        assertNotContains(response, "Gate X", status_code=410)
    assert not Device.objects.exists()


def test_a_link_that_never_was_is_not_found(client: Client, db: None) -> None:
    for response in (client.get("/enrol/nothing/"), client.post("/enrol/nothing/")):
        assert (response.status_code, response.context["standing"]) == (404, "unknown")


def test_a_link_of_a_camera_that_is_off_stays_good(client: Client, camera_x: Camera) -> None:
    link = link_of(camera_x)
    Camera.objects.update(is_enabled=False)
    for response in (client.get(link), client.post(link)):
        assertContains(response, "The link stays good", status_code=409)
    Camera.objects.update(is_enabled=True)
    assert client.post(link).status_code == 302


def test_a_cameras_name_cannot_bring_markup_into_a_page(as_user: LogIn, camera_x: Camera) -> None:
    Camera.objects.update(name="<script>alert(1)</script>")
    client = as_user("gina")
    for page in (LIST, capture_page(camera_x), link_of(camera_x)):
        assertNotContains(client.get(page), "<script>alert(1)")


@pytest.mark.parametrize("page", ["capture X", "list"])
def test_pages_that_only_show_cannot_be_posted_to(as_user: LogIn, addresses: dict[str, str], page: str) -> None:
    assert as_user("root").post(addresses[page]).status_code == 405
