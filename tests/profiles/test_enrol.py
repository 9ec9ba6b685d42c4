from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, connections

from accounts.models import Unit
from cameras.models import Camera
from profiles import gallery, pictures
from profiles.enrol import Source, record
from profiles.faces import ARCFACE
from profiles.models import Appearance, Confirmation, Face, Profile
from tests.profiles.people import JPEG, NAME, enrol, like, newcomer, vector
from videos.models import Video

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


def video(unit: Unit) -> uuid.UUID:
    return Video.objects.create(unit=unit, title="a film").pk


def test_somebody_new_becomes_a_profile_with_one_picture(unit_x: Unit) -> None:
    (placed,) = enrol(unit_x.pk, video(unit_x), newcomer(vector(1), tracks=(3,)))
    assert placed.verdict == "new"
    appearance = Appearance.objects.get()
    assert (appearance.profile_id, appearance.tracks) == (placed.profile, [3])
    assert pictures.read(f"{placed.profile}/{appearance.pk}.jpg") == JPEG


def test_somebody_known_gets_an_appearance(unit_x: Unit) -> None:
    (first,) = enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    (second,) = enrol(unit_x.pk, video(unit_x), newcomer(like(vector(1), 0.7)))
    assert (second.verdict, second.profile) == ("same", first.profile)
    assert (Profile.objects.count(), Appearance.objects.count()) == (1, 2)


def test_of_one_person_in_a_video_the_better_picture_is_kept(unit_x: Unit) -> None:
    (first,) = enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    people = (
        newcomer(vector(1), "1", last_s=2.0),
        newcomer(vector(1), "2", first_s=5.0, last_s=9.0, quality=0.9, crop=b"better"),
    )
    placed = enrol(unit_x.pk, video(unit_x), *people)
    assert {one.profile for one in placed} == {first.profile}
    appearance = Appearance.objects.get(video__isnull=False, quality=0.9)
    assert (appearance.first_s, appearance.last_s) == (0.0, 9.0)
    assert pictures.read(appearance.crop) == b"better"
    assert Appearance.objects.count() == 2


def test_recorded_again_nothing_changes(unit_x: Unit) -> None:
    film = video(unit_x)
    enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    people = [
        newcomer(vector(1), "1"),
        newcomer(like(vector(1), 0.9), "2"),
        newcomer(vector(2), "3"),
        newcomer(like(vector(1), 0.42), "4"),
    ]
    first = enrol(unit_x.pk, film, *people)
    assert sorted(one.verdict for one in first) == ["maybe", "new", "same", "same"]
    tables = [Profile, Appearance, Face, Confirmation]
    before = [list(table._default_manager.order_by("pk").values()) for table in tables]
    again = enrol(unit_x.pk, film, *people)
    assert [list(table._default_manager.order_by("pk").values()) for table in tables] == before
    assert [one.profile for one in again] == [one.profile for one in first]


def test_two_who_are_seen_together_are_two(unit_x: Unit) -> None:
    """Twins: each is as like the one profile as the other."""
    twins = (
        newcomer(vector(1), "1", seen_with=frozenset({"2"})),
        newcomer(like(vector(1), 0.9), "2", seen_with=frozenset({"1"})),
    )
    enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    placed = enrol(unit_x.pk, video(unit_x), *twins)
    assert [one.verdict for one in placed] == ["same", "new"]


def test_between_it_asks(unit_x: Unit) -> None:
    (anne,) = enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    (placed,) = enrol(unit_x.pk, video(unit_x), newcomer(like(vector(1), 0.42)))
    assert (placed.verdict, placed.profile) == ("maybe", None)
    asked = Confirmation.objects.get()
    assert (asked.candidate_id, asked.appearance_id) == (anne.profile, placed.appearance)
    # What waits is not known: nobody is taken for it.
    assert enrol(unit_x.pk, video(unit_x), newcomer(like(vector(1), 0.42)))[0].verdict == "maybe"


def test_a_face_seen_once_becomes_nobody_but_is_recognised(unit_x: Unit) -> None:
    assert enrol(unit_x.pk, video(unit_x), newcomer(vector(1), is_sure=False))[0].verdict == "nobody"
    enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    assert enrol(unit_x.pk, video(unit_x), newcomer(vector(1), is_sure=False))[0].verdict == "same"


def test_units_know_nothing_of_each_other(unit_x: Unit, unit_y: Unit) -> None:
    enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    assert enrol(unit_y.pk, video(unit_y), newcomer(vector(1)))[0].verdict == "new"


def test_a_day_before_a_camera_is_one_appearance(camera_x: Camera) -> None:
    from datetime import date

    def live(day: int) -> None:
        source = Source(uuid.uuid4(), camera=camera_x.pk, day=date(2026, 3, day))
        record(camera_x.unit_id, source, [newcomer(vector(1))], embedder=NAME, recipe=ARCFACE)

    for day in (1, 1, 1, 2):
        live(day)
    assert (Profile.objects.count(), Appearance.objects.count()) == (1, 2)


def test_what_fails_is_forgotten(unit_x: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("no space left")

    film = video(unit_x)
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "write", full)
        with pytest.raises(OSError, match="no space"):
            enrol(unit_x.pk, film, newcomer(vector(1)))
    assert not Profile.objects.exists()
    assert enrol(unit_x.pk, film, newcomer(vector(1)))[0].verdict == "new"


def rounds(config: pytest.Config) -> int:
    return 20 if config.getoption("--run-soak") else 2


@pytest.mark.django_db(transaction=True)
def test_threads_that_finish_at_once_never_make_two_profiles_of_one_person(
    unit_x: Unit, pytestconfig: pytest.Config
) -> None:
    for number in range(rounds(pytestconfig)):
        films = [video(unit_x) for _ in range(8)]
        start = threading.Barrier(4)

        def finish(film: uuid.UUID, face: int = 100 + number, start: threading.Barrier = start) -> None:
            try:
                start.wait(10)
                enrol(unit_x.pk, film, newcomer(vector(face)), newcomer(vector(face + 500), "2"))
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as workers:
            list(workers.map(finish, films))
        assert Profile.objects.count() == 2 * (number + 1)
        assert Appearance.objects.filter(video__in=films).count() == 16


CODE = """
import sys, uuid, django
from django.conf import settings
files = "recordings.stores.LocalStorage"
settings.STORAGES = {{**settings.STORAGES, "profiles": {{"BACKEND": files, "OPTIONS": {{"location": {folder!r}}}}}}}
settings.DATABASES["default"]["NAME"] = {name!r}
django.setup()
from tests.profiles.people import enrol, newcomer, vector
sys.stdin.readline()
for number, film in enumerate(sys.argv[1:]):
    enrol({unit}, uuid.UUID(film), newcomer(vector(number)))
"""


@pytest.mark.django_db(transaction=True)
def test_processes_that_finish_at_once_never_make_two_profiles_of_one_person(unit_x: Unit, tmp_path: Path) -> None:
    """Each finishes films of the same five people."""
    code = CODE.format(folder=str(tmp_path / "faces"), name=str(connection.settings_dict["NAME"]), unit=unit_x.pk)
    films = [[str(video(unit_x)) for _ in range(5)] for _ in range(4)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, *mine], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for mine in films
    ]
    for process in running:
        assert process.stdin
        process.stdin.write("go\\n")
        process.stdin.flush()
    for process in running:
        _out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    assert Profile.objects.count() == 5
    assert Appearance.objects.count() == Face.objects.count() == 20


@pytest.mark.django_db
def test_the_gallery_follows_what_other_processes_do(unit_x: Unit) -> None:
    enrol(unit_x.pk, video(unit_x), newcomer(vector(1)))
    assert len(gallery.known(unit_x.pk, NAME).faces) == 1
    enrol(unit_x.pk, video(unit_x), newcomer(vector(2)))
    assert len(gallery.known(unit_x.pk, NAME).faces) == 2
    Profile.objects.all().delete()
    gallery.changed(unit_x.pk)
    assert len(gallery.known(unit_x.pk, NAME).faces) == 0
