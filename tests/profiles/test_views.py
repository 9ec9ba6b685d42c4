from __future__ import annotations

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Unit, User
from profiles.models import Appearance, Confirmation, Profile, ProfileLook
from tests.profiles.people import enrol, like, newcomer, vector
from videos.models import Video, VideoVisit, visit_id

pytestmark = pytest.mark.django_db

MARKUP = "<script>alert(1)</script>'\"\u2066김"


def film(unit: Unit, title: str = "a film") -> Video:
    return Video.objects.create(unit=unit, title=title)


@pytest.fixture
def anne(unit_x: Unit) -> Profile:
    enrol(unit_x.pk, film(unit_x, MARKUP).pk, newcomer(vector(1)))
    return Profile.objects.get()


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_video_says_whose_face_was_recognised_in_it(unit_x: Unit, bob: User, charlie: User) -> None:
    video = Video.objects.create(unit=unit_x, title="a film", state=Video.State.DONE, extension="mp4")
    for track in (3, 4):
        VideoVisit.objects.create(id=visit_id(video.pk, track), video=video, track_ids=[track], first_s=0, last_s=1)
    enrol(unit_x.pk, video.pk, newcomer(vector(1), tracks=(3,)))
    page = browser(bob).get(f"/videos/{video.pk}/").content.decode()
    assert page.count(f'href="{Profile.objects.get().get_absolute_url()}"') == 1
    assert page.count("data-stay=") == 2
    browser(bob).get(f"/videos/{video.pk}/")
    (look,) = ProfileLook.objects.all()
    assert (look.action, look.user_name, look.detail) == ("listed", "bob", f"1 profiles of video {video.pk}")
    assert browser(charlie).get(f"/videos/{video.pk}/").status_code == 404


def test_the_list_shows_faces_and_narrows(unit_x: Unit, anne: Profile, bob: User) -> None:
    enrol(unit_x.pk, film(unit_x).pk, newcomer(vector(2)))
    Profile.objects.filter(pk=anne.pk).update(surname="김", name="Anna", listing="wanted")
    client = browser(bob)
    assert client.get("/profiles/").content.count(b'class="person"') == 2
    for query, count in [("q=anna", 1), ("q=anna+김", 1), ("q=nobody", 0), ("listing=wanted", 1), ("named=no", 1)]:
        assert client.get(f"/profiles/?{query}").content.count(b'class="person"') == count, query
    assert client.get("/profiles/?listing=nonsense").content.count(b'class="person"') == 0


def test_pages_of_the_list_follow_each_other(unit_x: Unit, bob: User) -> None:
    for seed in range(50):
        enrol(unit_x.pk, film(unit_x).pk, newcomer(vector(seed)))
    client = browser(bob)
    first = client.get("/profiles/")
    more = client.get(f"/profiles/?{first.context['next']}", headers={"HX-Request": "true"})
    assert first.content.count(b'class="person"') == 48
    assert more.content.count(b'class="person"') == 2
    assert b"<html" not in more.content


def test_a_profile_shows_where_it_was_seen_and_escapes_every_name(anne: Profile, bob: User) -> None:
    page = browser(bob).get(anne.get_absolute_url()).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert page.count('class="card appearance"') == 1


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("path", ["/profiles/", "/profiles/confirm/", "{profile}"])
def test_pages_open_in_both_languages(language: str, path: str, anne: Profile, bob: User) -> None:
    response = browser(bob).get(path.format(profile=anne.get_absolute_url()), headers={"Accept-Language": language})
    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.content.decode()


def test_every_look_is_noted(anne: Profile, alice: User) -> None:
    client = browser(alice)
    for path in (anne.get_absolute_url(), "/profiles/", f"/profiles/{anne.pk}/export.zip"):
        assert client.get(path).status_code == 200
    assert list(ProfileLook.objects.order_by("id").values_list("action", "user_name")) == [
        ("viewed", "alice"),
        ("listed", "alice"),
        ("exported", "alice"),
    ]


def acts(profile: Profile, other: Profile) -> dict[str, dict[str, str]]:
    """Each address that changes something, and what is sent to it."""
    appearance = profile.appearances.get()
    return {
        reverse("profiles:edit", args=[profile.pk]): {"surname": "changed", "listing": "none"},
        reverse("profiles:merge", args=[profile.pk]): {"to": str(other.pk)},
        reverse("profiles:split", args=[profile.pk]): {"appearance": str(appearance.pk)},
        reverse("profiles:erase", args=[profile.pk]): {"sure": "yes"},
        reverse("profiles:move", args=[profile.pk]): {"to": str(other.pk), "appearance": str(appearance.pk)},
        reverse("profiles:deny", args=[appearance.pk]): {},
        reverse("profiles:answer", args=[appearance.pk]): {"answer": "yes"},
    }


def test_chosen_appearances_are_moved_and_nothing_is_without_a_choice(unit_x: Unit, anne: Profile, bob: User) -> None:
    enrol(unit_x.pk, film(unit_x).pk, newcomer(vector(2)))
    bert = Profile.objects.exclude(pk=anne.pk).get()
    client, path = browser(bob), reverse("profiles:move", args=[anne.pk])
    one = str(anne.appearances.get().pk)
    for form in ({"to": str(bert.pk)}, {"appearance": one}, {"to": "nobody", "appearance": one}, {"to": str(anne.pk)}):
        assert "Choose the appearances" in client.post(path, form, follow=True).content.decode()
    page = client.post(path, {"to": str(bert.pk), "appearance": [one, "nonsense"]}, follow=True).content.decode()
    assert "1 appearance was moved here." in page
    assert bert.appearances.count() == 2
    assert not Profile.objects.filter(pk=anne.pk).exists()


def test_a_stranger_sees_and_changes_nothing(unit_x: Unit, anne: Profile, charlie: User) -> None:
    enrol(unit_x.pk, film(unit_x).pk, newcomer(vector(2)))
    client, before = browser(charlie), list(Appearance.objects.order_by("pk").values())
    crop = reverse("profiles:crop", args=[anne.appearances.get().pk])
    for path in (anne.get_absolute_url(), crop, f"/profiles/{anne.pk}/export.zip"):
        assert client.get(path).status_code == 404
    for path, form in acts(anne, Profile.objects.exclude(pk=anne.pk).get()).items():
        assert client.post(path, form).status_code == 404, path
    assert str(anne.pk).encode() not in client.get("/profiles/").content
    assert list(Appearance.objects.order_by("pk").values()) == before


def test_a_guard_post_and_an_anonymous_visitor_see_nothing(anne: Profile, gina: User) -> None:
    assert browser(gina).get("/profiles/").headers["Location"] == "/capture/"
    crop = reverse("profiles:crop", args=[anne.appearances.get().pk])
    assert browser(gina).get(crop).status_code == 404
    for path in ("/profiles/", crop, anne.get_absolute_url()):
        assert Client().get(path).headers["Location"].startswith("/login/")


def test_an_operator_edits_but_does_not_erase(anne: Profile, bob: User, alice: User) -> None:
    edit, erase = reverse("profiles:edit", args=[anne.pk]), reverse("profiles:erase", args=[anne.pk])
    browser(bob).post(edit, {"surname": "Kim", "birth_date": "1990-01-02", "listing": "allowed"})
    anne.refresh_from_db()
    assert (anne.surname, str(anne.birth_date), anne.listing) == ("Kim", "1990-01-02", "allowed")
    browser(bob).post(erase, {"sure": "yes"})
    browser(alice).post(erase, {})
    assert Profile.objects.filter(pk=anne.pk).exists()
    assert browser(bob).get(f"/profiles/{anne.pk}/export.zip").status_code == 404
    page = browser(alice).post(erase, {"sure": "yes"}, follow=True).content.decode()
    assert "Erased: 1 appearance, 1 picture, 1 face vector, 0 negative examples, 0 open questions." in page
    assert not Profile.objects.exists()


def test_a_wrong_date_of_birth_is_refused(anne: Profile, bob: User) -> None:
    response = browser(bob).post(
        reverse("profiles:edit", args=[anne.pk]), {"birth_date": "2999-01-01", "listing": "none"}
    )
    assert response.status_code == 400
    assert "born on that day" in response.content.decode()


@pytest.mark.parametrize(("answer", "count"), [("yes", 1), ("no", 2)])
def test_a_question_is_asked_and_answered(answer: str, count: int, unit_x: Unit, anne: Profile, bob: User) -> None:
    enrol(unit_x.pk, film(unit_x).pk, newcomer(like(vector(1), 0.42)))
    client = browser(bob)
    assert "1 question" in client.get("/profiles/").content.decode()
    assert client.get("/profiles/confirm/").content.count(b"data-question") == 1
    path = reverse("profiles:answer", args=[Confirmation.objects.get().pk])
    assert client.post(path, {"answer": answer}).headers["Location"] == "/profiles/confirm/"
    client.post(path, {"answer": answer})  # Twice is no harm.
    assert Profile.objects.count() == count
    assert client.get("/profiles/confirm/").content.count(b"data-question") == 0


def test_it_asks_the_database_as_often_for_many_as_for_few(unit_x: Unit, anne: Profile, bob: User) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, counts = browser(bob), []
    for seed in range(0, 40, 20):
        for face in range(seed, seed + 20):
            enrol(unit_x.pk, film(unit_x).pk, newcomer(vector(face)))
        with CaptureQueriesContext(connection) as asked:
            client.get("/profiles/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_without_models_it_says_what_to_do(bob: User, unit_x: Unit) -> None:
    assert "Missing, or not as published" in browser(bob).get("/profiles/").content.decode()


def test_without_models_the_models_that_people_need_are_still_prepared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from detections.management.commands.prepare_models import Command

    monkeypatch.setattr(Command, "_prepare", lambda self, may_fetch: None)
    call_command("prepare_models", "--offline")
    assert "Faces cannot be recognised here" in capsys.readouterr().out


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-10:00"])
def test_a_place_beyond_the_calendar_begins_at_the_top(moment: str, anne: Profile, bob: User) -> None:
    page = browser(bob).get(f"/profiles/?cursor={moment}~{anne.pk}")
    assert str(anne.pk) in page.content.decode()
