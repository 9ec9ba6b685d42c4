"""Cameras by the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import Unit, User
from cameras import tokens
from cameras.models import Camera, Token
from tests.api.conftest import make_clip, program

pytestmark = pytest.mark.django_db
SECRET = "rtsp://guard:hunter2@10.0.0.7/stream?key=abc"


def test_a_camera_is_listed_to_those_who_may_watch_it(bob: User, camera_x: Camera, camera_y: Camera) -> None:
    listed = program(bob, "watch").get("/api/cameras").json()
    assert [item["slug"] for item in listed["items"]] == [camera_x.slug]
    assert listed["next"] is None
    assert listed["items"][0]["unit"] == {"slug": "unit-x", "name": "Unit X"}
    assert listed["items"][0]["created_at"].endswith("Z")


def test_it_is_made_changed_switched_and_removed(manager: Client, unit_x: Unit) -> None:
    body = {"name": "Ost-Tor 동문", "unit": "unit-x", "target_fps": 2}
    made = manager.post("/api/cameras", body, "application/json")
    assert (made.status_code, made.json()["kind"], made.json()["target_fps"]) == (201, "browser", 2)
    slug = made.json()["slug"]
    changed = manager.patch(f"/api/cameras/{slug}", {"is_enabled": False, "target_fps": None}, "application/json")
    assert (changed.json()["is_enabled"], changed.json()["target_fps"], changed.json()["name"]) == (
        False,
        None,
        "Ost-Tor 동문",
    )
    assert manager.delete(f"/api/cameras/{slug}").status_code == 204
    assert manager.get(f"/api/cameras/{slug}").status_code == 404


def test_an_address_keeps_its_secrets(manager: Client, alice: User, bob: User, unit_x: Unit) -> None:
    made = manager.post("/api/cameras", {"name": "Dock", "unit": "unit-x", "source": SECRET}, "application/json").json()
    assert (made["kind"], made["source"]) == ("pull", "rtsp://guard:•••@10.0.0.7/stream?•••")
    place = f"/api/cameras/{made['slug']}"
    assert program(bob).get(place).json()["source"] is None
    assert "hunter2" not in manager.get(place).content.decode() + manager.get("/api/cameras").content.decode()
    # What is shown may be sent back, and changes nothing; part of it may not.
    assert manager.patch(place, {"source": made["source"]}, "application/json").status_code == 200
    assert Camera.objects.get(slug=made["slug"]).source == SECRET
    refused = manager.patch(place, {"source": made["source"].replace("stream", "other")}, "application/json")
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "body.source")


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"unit": "unit-x"}, 422, "body.name"),
        ({"name": " ", "unit": "unit-x"}, 422, "body.name"),
        ({"name": "A\x00", "unit": "unit-x"}, 422, "body.name"),
        ({"name": "A", "unit": "unit-x", "target_fps": "5"}, 422, "body.target_fps"),
        ({"name": "A", "unit": "unit-x", "colour": "red"}, 422, "body.colour"),
        ({"name": "A", "unit": "unit-x", "source": "gopher://host/x"}, 422, "body.source"),
        ({"name": "A", "unit": "unit-y"}, 404, None),  # Not alice's.
        ({"name": "Gate X", "unit": "unit-x"}, 409, "body"),  # There is one.
    ],
)
def test_what_does_not_fit_is_named(
    manager: Client, camera_x: Camera, camera_y: Camera, body: dict[str, Any], status: int, where: str | None
) -> None:
    answer = manager.post("/api/cameras", body, "application/json")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["where"] for error in answer.json()["errors"]] == ([where] if where else [])


def test_a_refused_address_is_not_repeated(manager: Client, unit_x: Unit) -> None:
    body = {"name": "A", "unit": "unit-x", "source": "rtsp://guard:hunter2@10.0.0.7/a b"}
    assert "hunter2" not in manager.post("/api/cameras", body, "application/json").content.decode()


def test_who_only_watches_changes_nothing(bob: User, charlie: User, camera_x: Camera) -> None:
    place, body = f"/api/cameras/{camera_x.slug}", json.dumps({"name": "Mine"})
    assert program(bob).patch(place, body, "application/json").status_code == 403
    assert program(bob).delete(place).status_code == 403
    assert program(charlie).patch(place, body, "application/json").status_code == 404
    assert program(bob).post(f"{place}/enrolment").status_code == 403


def test_a_token_of_certain_cameras_reaches_no_other(alice: User, unit_x: Unit, camera_x: Camera) -> None:
    other = Camera.objects.create(name="Other", unit=unit_x)
    client = program(alice, "manage", camera_x)
    assert [item["slug"] for item in client.get("/api/cameras").json()["items"]] == [camera_x.slug]
    assert client.get(f"/api/cameras/{other.slug}").status_code == 404
    assert client.patch(f"/api/cameras/{camera_x.slug}", {"name": "A"}, "application/json").status_code == 200
    assert client.post("/api/cameras", {"name": "B", "unit": "unit-x"}, "application/json").status_code == 404


def test_a_camera_with_kept_recordings_stays(manager: Client, camera_x: Camera) -> None:
    make_clip(camera_x, is_kept=True)
    assert manager.delete(f"/api/cameras/{camera_x.slug}").status_code == 409
    assert Camera.objects.filter(pk=camera_x.pk).exists()


def test_an_enrolment_link_is_made_for_a_browser_only(manager: Client, camera_x: Camera) -> None:
    made = manager.post(f"/api/cameras/{camera_x.slug}/enrolment")
    assert made.status_code == 201
    assert "/enrol/" in made.json()["url"]
    Camera.objects.filter(pk=camera_x.pk).update(source="rtsp://10.0.0.7/", kind="pull")
    assert manager.post(f"/api/cameras/{camera_x.slug}/enrolment").status_code == 409


def test_what_is_done_stands_in_the_cameras_history(manager: Client, alice: User, unit_x: Unit) -> None:
    made = manager.post("/api/cameras", {"name": "Yard", "unit": unit_x.slug}, content_type="application/json").json()
    address = f"/api/cameras/{made['slug']}"
    manager.patch(address, {"name": "Yard 2", "target_fps": 3}, content_type="application/json")
    manager.post(f"{address}/enrolment")
    manager.delete(address)
    told = list(LogEntry.objects.order_by("pk").values_list("user", "object_repr", "change_message"))
    by = f" Access token {Token.objects.get().pk}."
    assert [(user, name, message.removesuffix(by)) for user, name, message in told if message.endswith(by)] == [
        (alice.pk, "Yard", "Made over the API."),
        (alice.pk, "Yard 2", "Changed over the API: name, target_fps."),
        (alice.pk, "Yard 2", "Made an enrolment link over the API."),
        (alice.pk, "Yard 2", "Removed over the API."),
    ]


def test_a_token_for_watching_is_shown_no_address(client: Client, alice: User, unit_x: Unit) -> None:
    Camera.objects.create(name="Yard", unit=unit_x, source="http://10.0.0.9/t0ken/stream")
    shown = []
    for scope in (Token.Scope.WATCH, Token.Scope.READ, Token.Scope.MANAGE):
        _token, secret = tokens.issue(alice, "program", scope)
        answer = client.get("/api/cameras", headers={"authorization": f"Bearer {secret}"}).json()
        shown.append([item["source"] for item in answer["items"] if item["slug"] == "yard"])
    assert shown == [[None], [None], ["http://10.0.0.9/t0ken/stream"]]
