from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Unit, User
from cameras.models import Camera
from profiles import erase, mend, pictures
from profiles.faces import Vector
from profiles.mend import Refused
from profiles.models import Appearance, Confirmation, Face, Negative, Profile, ProfileLook
from tests.profiles.people import enrol, like, newcomer, vector
from videos import faces
from videos.models import Video

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept")]


def seen(unit: Unit, face: Vector) -> tuple[Profile, Appearance]:
    """The profile and the appearance that this face came to."""
    film = Video.objects.create(unit=unit, title="a film").pk
    (placed,) = enrol(unit.pk, film, newcomer(face))
    appearance = Appearance.objects.select_related("profile").get(pk=str(placed.appearance))
    assert appearance.profile
    return appearance.profile, appearance


def files() -> set[str]:
    folders, _files = pictures.storage().listdir("")
    return {f"{folder}/{name}" for folder in folders for name in pictures.storage().listdir(folder)[1]}


@pytest.fixture(autouse=True)
def _on_commit(django_capture_on_commit_callbacks: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done once a transaction is sure, is done at once: the test's own never ends."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda act, **_options: act())


def test_merged_they_are_one_and_both_faces_find_it(unit_x: Unit, alice: User) -> None:
    (anne, _first), (anna, _second) = seen(unit_x, vector(1)), seen(unit_x, vector(2))
    Profile.objects.filter(pk=anna.pk).update(surname="Kim", listing="wanted")
    merged = mend.merge(anne, anna, alice)
    assert (merged.pk, merged.surname, merged.listing) == (anne.pk, "Kim", "wanted")
    assert not Profile.objects.filter(pk=anna.pk).exists()
    assert seen(unit_x, vector(1))[0] == seen(unit_x, vector(2))[0] == anne
    assert files() == set(Appearance.objects.values_list("crop", flat=True))
    assert {name.split("/")[0] for name in files()} == {str(anne.pk)}


def test_merged_from_one_video_they_have_one_picture_there(unit_x: Unit, alice: User) -> None:
    film = Video.objects.create(unit=unit_x, title="a film").pk
    placed = enrol(
        unit_x.pk,
        film,
        newcomer(vector(1), "1"),
        newcomer(vector(2), "2", quality=0.9, crop=b"better", first_s=7, last_s=8),
    )
    anne, anna = (Profile.objects.get(pk=str(one.profile)) for one in placed)
    mend.merge(anne, anna, alice)
    appearance = Appearance.objects.get()
    assert (appearance.first_s, appearance.last_s, appearance.faces.count()) == (0, 8, 2)
    assert pictures.read(appearance.crop) == b"better"
    assert files() == {appearance.crop}
    # The analysis made again finds both where they are now.
    again = enrol(unit_x.pk, film, newcomer(vector(1), "1"), newcomer(vector(2), "2"))
    assert {one.profile for one in again} == {anne.pk}
    assert Appearance.objects.count() == 1


def test_split_the_chosen_ones_are_somebody_else(unit_x: Unit, alice: User) -> None:
    anne, first = seen(unit_x, vector(1))
    _anne, second = seen(unit_x, like(vector(1), 0.5))
    made = mend.split(anne, [second.pk], alice)
    assert list(anne.appearances.values_list("pk", flat=True)) == [first.pk]
    assert list(made.appearances.values_list("pk", flat=True)) == [second.pk]
    assert seen(unit_x, like(vector(1), 0.5))[0] == made


@pytest.mark.parametrize("chosen", [0, 2])
def test_it_splits_off_neither_nobody_nor_everybody(chosen: int, unit_x: Unit, alice: User) -> None:
    anne, _first = seen(unit_x, vector(1))
    seen(unit_x, vector(1))
    with pytest.raises(Refused):
        mend.split(anne, list(anne.appearances.values_list("pk", flat=True))[:chosen], alice)


def test_moved_an_appearance_is_the_other_ones_and_an_empty_profile_goes(unit_x: Unit, alice: User) -> None:
    (anne, _first), (bert, second) = seen(unit_x, vector(1)), seen(unit_x, vector(2))
    assert mend.move(bert, [second.pk], anne, alice) == 1
    assert not Profile.objects.filter(pk=bert.pk).exists()
    assert seen(unit_x, vector(2))[0] == anne


def test_several_are_moved_at_once_and_the_rest_stays(unit_x: Unit, alice: User) -> None:
    anne, _first = seen(unit_x, vector(1))
    bert = seen(unit_x, vector(2))[0]
    going = [seen(unit_x, vector(2))[1].pk for _ in range(2)]
    assert mend.move(bert, going, anne, alice) == 2
    assert (anne.appearances.count(), bert.appearances.count()) == (3, 1)
    looks = ProfileLook.objects.filter(action=ProfileLook.Action.MOVED).order_by("id")
    assert [(look.profile_id, look.detail) for look in looks] == [
        (bert.pk, f"2 appearances to {anne.pk}"),
        (anne.pk, f"2 appearances from {bert.pk}"),
    ]


def test_what_was_denied_and_then_moved_here_is_denied_no_more(unit_x: Unit, alice: User) -> None:
    anne, first = seen(unit_x, vector(1))
    _anne, wrong = seen(unit_x, like(vector(1), 0.6))
    bert = mend.deny(wrong, alice)
    Appearance.objects.filter(pk=wrong.pk).update(video=first.video)  # The two become one.
    mend.move(bert, [wrong.pk], anne, alice)
    assert anne.appearances.count() == 1
    assert not Negative.objects.exists()


def test_not_this_person_is_honoured_from_then_on(unit_x: Unit, alice: User) -> None:
    anne, _first = seen(unit_x, vector(1))
    _anne, wrong = seen(unit_x, like(vector(1), 0.6))
    made = mend.deny(wrong, alice)
    assert anne.appearances.count() == 1
    for cosine in (1.0, 0.97):
        assert seen(unit_x, like(like(vector(1), 0.6), cosine))[0] == made
    # Even when that somebody else is known no more.
    erase.profile(made, alice)
    assert Negative.objects.count() == 0  # A face that is erased is kept nowhere.


@pytest.mark.parametrize("is_it", [True, False])
def test_an_answer_is_kept(is_it: bool, unit_x: Unit, alice: User) -> None:
    anne, _first = seen(unit_x, vector(1))
    film = Video.objects.create(unit=unit_x, title="a film").pk
    enrol(unit_x.pk, film, newcomer(like(vector(1), 0.42)))
    asked = Confirmation.objects.get().appearance
    profile = mend.answer(asked, alice, is_it=is_it)
    assert (profile == anne) is is_it
    assert not Confirmation.objects.exists()
    assert seen(unit_x, like(vector(1), 0.42))[0] == profile
    with pytest.raises(Refused):
        mend.answer(asked, alice, is_it=True)


def test_units_are_never_mixed(unit_x: Unit, unit_y: Unit, alice: User) -> None:
    (anne, first), (other, _second) = seen(unit_x, vector(1)), seen(unit_y, vector(1))
    with pytest.raises(Refused):
        mend.merge(anne, other, alice)
    with pytest.raises(Refused):
        mend.move(anne, [first.pk], other, alice)
    with pytest.raises(Refused):
        mend.move(other, [first.pk], other, alice)


def test_erased_nothing_is_left_and_it_says_what_went(unit_x: Unit, alice: User) -> None:
    anne, _first = seen(unit_x, vector(1))
    Profile.objects.filter(pk=anne.pk).update(surname="Kim")
    seen(unit_x, vector(1))
    enrol(unit_x.pk, Video.objects.create(unit=unit_x, title="a film").pk, newcomer(like(vector(1), 0.42)))
    bert, _second = seen(unit_x, vector(2))
    number = anne.pk
    erased = erase.profile(anne, alice)
    assert (erased.appearances, erased.pictures, erased.faces, erased.questions) == (3, 3, 3, 1)
    assert list(Profile.objects.all()) == [bert]
    assert Face.objects.count() == Appearance.objects.count() == len(files()) == 1
    assert seen(unit_x, vector(1))[0].pk != number  # Nothing in this process remembers, either.
    noted = ProfileLook.objects.get(action="erased")
    assert (noted.user_name, noted.profile_id) == ("alice", number)
    assert "Kim" not in str(list(ProfileLook.objects.values()))
    assert "pictures 3" in noted.detail


def test_a_deleted_video_takes_what_came_from_it(unit_x: Unit, alice: User) -> None:
    film, other = (Video.objects.create(unit=unit_x, title="a film") for _ in range(2))
    enrol(unit_x.pk, film.pk, newcomer(vector(1), "1"), newcomer(vector(2), "2"), newcomer(vector(3), "3"))
    enrol(unit_x.pk, other.pk, newcomer(vector(2), "2"))
    twice = Profile.objects.get(appearances__video=other)
    named = Profile.objects.exclude(pk=twice.pk)[0]
    Profile.objects.filter(pk=named.pk).update(surname="Kim")
    faces.forget(film)
    assert {profile.pk for profile in Profile.objects.all()} == {named.pk, twice.pk}
    assert len(files()) == Appearance.objects.count() == 1
    film.delete()


def test_old_faces_go_but_for_the_wanted(unit_x: Unit) -> None:
    old = timezone.now() - timedelta(days=400)
    for face in (1, 2, 3):
        film = Video.objects.create(unit=unit_x, title="a film").pk
        enrol(unit_x.pk, film, newcomer(vector(face), first_at=old, last_at=timezone.now() if face == 3 else old))
    wanted = Appearance.objects.filter(last_at=old)[0].profile
    assert wanted
    Profile.objects.filter(pk=wanted.pk).update(listing="wanted")
    assert erase.expire(timezone.now().timestamp()) == 1
    assert Profile.objects.count() == Appearance.objects.count() == len(files()) == 2
    assert Profile.objects.filter(pk=wanted.pk).exists()


def test_the_export_holds_everything(unit_x: Unit, alice: User) -> None:
    anne, first = seen(unit_x, vector(1))
    browser = Client()
    browser.force_login(alice)
    response = browser.get(f"/profiles/{anne.pk}/export.zip")
    with zipfile.ZipFile(io.BytesIO(response.getvalue())) as archive:
        held = json.loads(archive.read("profile.json"))
        assert archive.read(f"pictures/{first.pk}.jpg")
    assert held["appearances"][0]["faces"][0]["vector"]
    assert held["looks"][-1]["action"] == "exported"


def test_two_that_were_denied_to_the_same_person_become_one(unit_x: Unit, alice: User) -> None:
    """Also where both were seen in one video, and are one appearance afterwards."""
    anne, _first = seen(unit_x, vector(1))
    made = []
    for seed in (1, 2):
        _anne, wrong = seen(unit_x, like(vector(1), 0.6, seed))
        made.append((mend.deny(wrong, alice), wrong))
    (one, here), (other, there) = made
    Appearance.objects.filter(pk=there.pk).update(video=here.video)
    mend.merge(one, other, alice)
    assert one.appearances.count() == 1
    assert list(Negative.objects.values_list("profile", "appearance")) == [(anne.pk, here.pk)]


def test_questions_about_one_whose_appearances_are_all_moved_are_asked_about_the_other(
    unit_x: Unit, alice: User
) -> None:
    (anne, _first), (bert, second) = seen(unit_x, vector(1)), seen(unit_x, vector(2))
    _who, asked = seen(unit_x, vector(3))
    Appearance.objects.filter(pk=asked.pk).update(profile=None)
    Confirmation.objects.create(appearance=asked, candidate=bert, similarity=0.4)
    Negative.objects.create(profile=bert, appearance=asked, embedder="another", vector=b"")
    mend.move(bert, [second.pk], anne, alice)
    assert not Profile.objects.filter(pk=bert.pk).exists()
    assert Confirmation.objects.get().candidate == anne
    assert Negative.objects.get().profile == anne


def test_with_a_camera_go_the_faces_that_it_saw(unit_x: Unit, camera_x: Camera, alice: User) -> None:
    anne, elsewhere = seen(unit_x, vector(1))
    _bert, second = seen(unit_x, vector(2))
    third = seen(unit_x, vector(1))[1]
    of_camera = {"video": None, "camera": camera_x, "day": timezone.localdate()}
    Appearance.objects.filter(pk__in=[second.pk, third.pk]).update(**of_camera)
    camera_x.delete()
    assert list(Profile.objects.all()) == [anne]
    assert list(Appearance.objects.all()) == [elsewhere]
    assert files() == {elsewhere.crop}
