"""manage.py add_camera: what it makes, what it prints, what it refuses."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from accounts.models import Unit
from cameras import enrolment
from cameras.models import Camera, Enrolment

pytestmark = pytest.mark.django_db


def add_camera(*arguments: str) -> str:
    out = io.StringIO()
    call_command("add_camera", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def add_camera_json(*arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(add_camera(*arguments, "--json"))
    return told


def test_it_prints_one_json_object_with_the_enrolment_link() -> None:
    told = add_camera_json("Front gate")
    assert set(told) == {"slug", "name", "unit", "kind", "enrolment_url", "expires_at"}
    assert (told["slug"], told["name"], told["kind"], told["unit"]) == ("front-gate", "Front gate", "browser", "Main")
    token = urlsplit(told["enrolment_url"]).path.split("/")[2]
    assert enrolment.redeem(token).device.camera == Camera.objects.get(slug="front-gate")
    expires_at = parse_datetime(told["expires_at"])
    assert expires_at is not None
    assert expires_at == Enrolment.objects.get().expires_at.replace(microsecond=0)


def test_it_prints_lines_for_people() -> None:
    lines = add_camera("Front gate").splitlines()
    assert lines[0] == "slug: front-gate"
    assert any(line.startswith("enrolment_url: http://localhost:8000/enrol/") for line in lines)


def test_a_korean_name_gets_an_address_that_works(client: Client) -> None:
    told = add_camera_json("정문 1초소", "--unit", "제1부대")
    assert told["slug"] == "jeongmun-1choso"
    assert told["name"] == "정문 1초소"
    page = reverse("cameras:capture", args=[told["slug"]])
    assert client.get(page).status_code == 302  # To log-in, not 404.
    assert client.post(urlsplit(told["enrolment_url"]).path)["Location"] == page
    assert client.get(page).status_code == 200


def test_units_are_made_on_their_first_use() -> None:
    for name in ("A", "B"):
        add_camera(name, "--unit", "North")
    add_camera("C")
    assert set(Unit.objects.values_list("name", flat=True)) == {"North", "Main"}


def test_the_same_name_in_another_unit_is_another_camera() -> None:
    assert add_camera_json("Gate")["slug"] == "gate"
    assert add_camera_json("Gate", "--unit", "North")["slug"] == "gate-2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Gate"], "This unit already has a camera of this name."),
        ([""], "name: This field cannot be blank."),
        (["x" * 81], "name: Ensure this value has at most 80 characters"),
        (["New", "--unit", " "], "The unit cannot be made. name: This field cannot be blank."),
        (["New", "--unit", "U", "--source", "file:///etc/passwd"], "A file is given by its name below the folder"),
        (["New", "--unit", "U", "--source", "ftp://10.0.0.9/"], "begins with rtsp://, rtsps://, http://, https://"),
        (["New", "--unit", "U", "--source", "/dev/video0"], "begins with rtsp://"),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_reason_and_leaves_nothing(arguments: list[str], said: str) -> None:
    add_camera("Gate")
    with pytest.raises(CommandError, match=said.replace("(", r"\(")):
        add_camera(*arguments)
    assert Camera.objects.count() == 1
    assert Unit.objects.count() == 1


def test_a_pull_camera_has_no_enrolment_and_its_password_is_not_told() -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("add_camera", "Yard", "--source", "rtsp://user:hunter2@10.0.0.9/1", stdout=out, stderr=err)
    assert "hunter2" not in out.getvalue() + err.getvalue()
    assert not Enrolment.objects.exists()
    told_json = add_camera_json("Yard 2", "--source", "http://10.0.0.9/v")
    assert (told_json["kind"], told_json["enrolment_url"], told_json["expires_at"]) == ("pull", None, None)
