"""Clips, rules, seals and the audit log in the admin: of one's own cameras only, and nothing made up by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import User
from cameras.models import Camera
from recordings import announce, audit, evidence, forecast, keeping, storage
from recordings.models import AuditEntry, Recording, RecordingRules, Seal
from recordings.storage import Storage
from tests.recordings.shelf import files, put

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("recording", "seal", "auditentry")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "recording", lambda *_: None)


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def address(row: Any, verb: str = "change") -> str:
    return reverse(f"admin:recordings_{row._meta.model_name}_{verb}", args=[row.pk])


def list_of(name: str, verb: str = "changelist") -> str:
    return reverse(f"admin:recordings_{name}_{verb}")


def rows_of(camera: Camera, user: User) -> tuple[Recording, Seal, AuditEntry]:
    """One of each kind."""
    clip = put(camera)
    entry = audit.note(user, AuditEntry.Action.VIEWED, clip)
    return clip, Seal.objects.get(recording_id=clip.pk), entry


# --- Rights ---


def test_a_unit_admin_sees_the_clips_seals_and_entries_of_the_unit_and_no_others(
    as_alice: Client, bob: User, charlie: User, camera_x: Camera, camera_y: Camera
) -> None:
    own, others = rows_of(camera_x, bob), rows_of(camera_y, charlie)
    for name, row, other in zip(NAMES, own, others, strict=True):
        shown = as_alice.get(list_of(name))
        assertContains(shown, address(row))
        assertNotContains(shown, address(other))
        assertNotContains(shown, "Gate Y")
        assertNotContains(shown, "charlie")
        assert as_alice.get(address(row)).status_code == 200
        assert as_alice.get(address(other)).status_code == 302, "as for one that does not exist"
    keeping.delete(own[0], bob)
    assertContains(as_alice.get(address(own[2])), str(own[0].pk))


@pytest.mark.parametrize("who", ["bob", "gina", "charlie", "pending"])
def test_nobody_else_gets_in(
    client: Client, who: str, camera_x: Camera, root: User, request: pytest.FixtureRequest
) -> None:
    rows = rows_of(camera_x, root)
    client.force_login(request.getfixturevalue(who))
    for name, row in zip(NAMES, rows, strict=True):
        assert client.get(list_of(name)).status_code in {302, 403}
        assert client.get(address(row)).status_code in {302, 403}
        client.post(address(row, "delete"), {"post": "yes"})
    assert (Recording.objects.count(), Seal.objects.count(), AuditEntry.objects.count()) == (1, 1, 1)


def test_the_audit_log_and_the_seals_only_ever_grow(client: Client, root: User, camera_x: Camera) -> None:
    client.force_login(root)
    _clip, *rows = rows_of(camera_x, root)
    before = [list(type(row)._default_manager.values()) for row in rows]
    for row in rows:
        name = row._meta.label_lower.partition(".")[2]
        assert client.get(list_of(name, "add")).status_code == 403
        assert client.post(list_of(name, "add"), {"user_name": "x"}).status_code == 403
        client.post(address(row), {"user_name": "nobody", "sha256": "0", "action": "viewed", "detail": "changed"})
        assert client.post(address(row, "delete"), {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        client.post(list_of(name), chosen)
        assertNotContains(client.get(list_of(name)), "delete_selected")
    assert [list(type(row)._default_manager.values()) for row in rows] == before


def test_the_log_outlives_user_and_camera(camera_x: Camera, bob: User, client: Client, root: User) -> None:
    rows_of(camera_x, bob)
    bob.delete()
    camera_x.delete()
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.camera, entry.user_name, entry.camera_name) == (None, None, "bob", "Gate X")
    client.force_login(root)
    assertContains(client.get(list_of("auditentry")), "Gate X")


def test_an_entry_without_a_user_or_a_clip(camera_x: Camera) -> None:
    entry = audit.note(AnonymousUser(), AuditEntry.Action.EXPORTED, camera=camera_x, detail="x" * 500)
    assert (entry.user, entry.user_name, entry.camera_name) == (None, "", "Gate X")
    assert len(entry.detail) == 200


# --- Clips ---


def test_what_the_recorder_wrote_is_not_changed_or_made_up(client: Client, root: User, camera_x: Camera) -> None:
    client.force_login(root)
    clip = put(camera_x)
    client.post(address(clip), {"state": "failed", "sha256": "0", "is_kept": "on", "path": "elsewhere"})
    assert list(Recording.objects.values()) == [{**Recording.objects.values().get(), "state": "ready"}]
    assert not Recording.objects.get().is_kept
    assert client.get(list_of("recording", "add")).status_code == 403


def act(client: Client, action: str, *clips: Recording) -> str:
    chosen = {"action": action, "_selected_action": [str(clip.pk) for clip in clips], "post": "yes"}
    return client.post(list_of("recording"), chosen, follow=True).content.decode()


def test_clips_are_kept_and_released_in_the_list_and_that_is_noted(
    as_alice: Client, camera_x: Camera, camera_y: Camera
) -> None:
    clips = [put(camera_x), put(camera_x, days=1, is_kept=True)]
    other = put(camera_y)
    assert "1 recording is kept." in act(as_alice, "keep", *clips, other)
    assert set(Recording.objects.filter(is_kept=True)) == set(clips)
    assert "2 recordings are no longer kept." in act(as_alice, "release", *clips, other)
    assert sorted(AuditEntry.objects.values_list("action", flat=True)) == ["kept", "released", "released"]
    assert set(AuditEntry.objects.values_list("user_name", flat=True)) == {"alice"}


def test_a_deleted_clip_takes_its_files_and_leaves_seal_and_entry(as_alice: Client, camera_x: Camera) -> None:
    clips = [put(camera_x, days=days) for days in range(3)]
    assertRedirects(as_alice.post(address(clips[0], "delete"), {"post": "yes"}), list_of("recording"))
    act(as_alice, "delete_selected", *clips[1:])
    assert not Recording.objects.exists()
    assert files() == []
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["deleted"] * 3
    assert set(Seal.objects.values_list("removed_because", flat=True)) == {"deleted by alice"}
    assert evidence.verify() == []


def test_a_kept_or_open_clip_cannot_be_deleted(as_alice: Client, camera_x: Camera) -> None:
    kept = put(camera_x, is_kept=True)
    is_open = put(camera_x, days=1, state=Recording.State.RECORDING, is_sealed=False)
    free = put(camera_x, days=2)
    for clip in (kept, is_open):
        assert as_alice.post(address(clip, "delete"), {"post": "yes"}).status_code == 403
    act(as_alice, "delete_selected", kept, is_open, free)
    assert Recording.objects.count() == 3, "all or none, as the page says"
    assert not AuditEntry.objects.exists()


def test_one_kept_while_the_page_asks_stays(
    as_alice: Client, camera_x: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = put(camera_x)
    real = keeping.delete

    def late(recording: Recording, user: User) -> bool:
        keeping.keep(recording, user)
        return real(recording, user)

    monkeypatch.setattr(keeping, "delete", late)
    shown = act(as_alice, "delete_selected", clip)
    assert "1 recording is kept or open and stays." in shown
    assert Recording.objects.count() == 1


def test_the_list_takes_few_queries_however_long_it_is(
    as_alice: Client, camera_x: Camera, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        put(camera_x, days=n / 100)
    with django_assert_max_num_queries(20):
        as_alice.get(list_of("recording"))


# --- Forecast ---


def test_the_forecast_tells_the_days_left(camera_x: Camera, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RECORDINGS_FREE_BYTES = 1_000
    monkeypatch.setattr(storage, "state", lambda: Storage("", 8_000, 10_000))
    now = timezone.now()
    for days in (6.9, 5, 3, 1):
        put(camera_x, days=days, size=700, is_kept=days == 3)
    put(camera_x, days=20, size=200)
    told = forecast.forecast(now)
    assert (told.clips, told.used_bytes, told.kept_bytes, told.room_bytes) == (5, 3_000, 700, 7_000)
    assert told.bytes_per_day == pytest.approx(2_800 / 6.9, rel=0.01)
    assert told.days_left == pytest.approx(7_000 / (2_800 / 6.9), rel=0.01)
    assert told.days_held == pytest.approx(9_300 / (2_800 / 6.9), rel=0.01)
    assert told.is_short, "23 of 30 days"
    settings.RECORDINGS_DAYS = 20
    assert not forecast.forecast(now).is_short
    settings.RECORDINGS_BYTES = 3_500
    assert forecast.forecast(now).room_bytes == 500, "the nearer of the two limits"
    assert forecast.forecast(now + timedelta(days=30)).days_left is None


def test_an_hour_of_recording_is_not_taken_for_a_day(camera_x: Camera) -> None:
    put(camera_x, days=1 / 48, size=100)
    assert forecast.current().bytes_per_day == pytest.approx(2_400, rel=0.05)


def test_the_page_shows_it(as_alice: Client, camera_x: Camera, settings: Any) -> None:
    assertContains(as_alice.get(list_of("recording")), "Nothing was recorded in the last week.")
    put(camera_x, days=2, size=1_000_000)
    shown = as_alice.get(list_of("recording"))
    assertContains(shown, "1 recording takes 976.6")
    assertContains(shown, "That suffices")
    settings.RECORDINGS_BYTES = 2_000_000
    assertContains(as_alice.get(list_of("recording")), "days old when they have to go")


# --- Rules on the camera's page ---


def rules_form(camera: Camera, **fields: Any) -> dict[str, Any]:
    values = {"name": camera.name, "is_enabled": "on", "source": "", "unit": camera.unit_id}
    values |= {"devices-TOTAL_FORMS": 0, "devices-INITIAL_FORMS": 0}
    values |= {"face_rules-TOTAL_FORMS": 0, "face_rules-INITIAL_FORMS": 0}
    known = RecordingRules.objects.filter(camera=camera).count()
    values |= {"recording_rules-TOTAL_FORMS": 1, "recording_rules-INITIAL_FORMS": known}
    own = {"mode": "presence", "camera": camera.pk, **fields}
    return values | {f"recording_rules-0-{name}": value for name, value in own.items()}


def save(client: Client, camera: Camera, **fields: Any) -> Any:
    return client.post(reverse("admin:cameras_camera_change", args=[camera.pk]), rules_form(camera, **fields))


def test_a_unit_admin_sets_how_a_camera_is_recorded(as_alice: Client, camera_x: Camera) -> None:
    assertContains(as_alice.get(reverse("admin:cameras_camera_change", args=[camera_x.pk])), "recording_rules-0-mode")
    assertRedirects(save(as_alice, camera_x), reverse("admin:cameras_camera_changelist"))
    assert not RecordingRules.objects.exists(), "left as it is, a camera follows the site's settings"
    save(as_alice, camera_x, mode="continuous", stop_after_s="2.5", keep_days="7")
    rules = RecordingRules.objects.get(camera=camera_x)
    assert (rules.mode, rules.stop_after_s, rules.keep_days, rules.start_after_s) == ("continuous", 2.5, 7, None)
    save(as_alice, camera_x, mode="off", stop_after_s="", keep_days="", DELETE="on")
    rules.refresh_from_db()
    assert (rules.mode, rules.stop_after_s, rules.keep_days) == ("off", None, None)


@pytest.mark.parametrize("wrong", [{"before_s": "21"}, {"mode": "sometimes"}, {"keep_days": "0"}, {"after_s": "-1"}])
def test_rules_that_cannot_be_are_refused(as_alice: Client, camera_x: Camera, wrong: dict[str, str]) -> None:
    assertContains(save(as_alice, camera_x, **wrong), "errorlist")
    assert not RecordingRules.objects.exists()


def test_nobody_sets_the_rules_of_another_units_camera(as_alice: Client, camera_y: Camera) -> None:
    save(as_alice, camera_y, mode="off")
    assert not RecordingRules.objects.exists()


def test_a_camera_with_kept_clips_is_not_deleted(as_alice: Client, camera_x: Camera, bob: User) -> None:
    clip = put(camera_x, is_kept=True)
    delete = reverse("admin:cameras_camera_delete", args=[camera_x.pk])
    assertContains(as_alice.post(delete, {"post": "yes"}), "recordings that are kept: 1")
    assert Camera.objects.filter(pk=camera_x.pk).exists()
    keeping.release(clip, bob)
    as_alice.post(delete, {"post": "yes"})
    assert not Recording.objects.exists()


# --- The alarm ---


def test_operators_are_told_while_nothing_can_be_stored(
    client: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(bob)
    assert client.get("/recordings/alarm.json").json() == {"text": ""}
    assertContains(client.get("/"), f'data-alarm="{reverse("recordings:alarm")}" hidden')
    for problem, word in {"missing": "missing", "full": "full", "read_only": "cannot be written"}.items():
        monkeypatch.setattr(storage, "state", lambda problem=problem: Storage(problem))
        assert word in client.get("/recordings/alarm.json").json()["text"]
        shown = client.get("/visits/").content.decode()
        assert word in shown
        assert f'data-alarm="{reverse("recordings:alarm")}">' in shown


def test_who_watches_nothing_is_not_told(client: Client, gina: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "state", lambda: Storage("full"))
    assert client.get("/recordings/alarm.json").status_code == 302
    client.force_login(gina)
    assert client.get("/recordings/alarm.json").status_code == 302
    assertNotContains(client.get("/capture/"), "data-alarm")
