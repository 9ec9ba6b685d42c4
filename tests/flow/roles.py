"""Two units with one camera each and somebody in every role, for tests that ask who sees what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import models
from django.http import SimpleCookie
from django.test import Client
from django.utils import timezone

from accounts.models import Membership, Role, Unit, User
from api import collect
from api.collect import Draft
from api.models import Delivery, Event, EventType, Webhook
from cameras import enrolment, tokens
from cameras.models import Camera, CoverageMinute, Device, Enrolment, Token
from detections.models import Visit
from profiles import audit as profile_audit
from profiles.models import Appearance, Confirmation, Face, FaceRules, Negative, Profile, ProfileLook, UnitFaces
from recordings import audit, evidence
from recordings.models import AuditEntry, Export, Recording, RecordingRules, Seal
from tests.profiles import people
from videos import audit as video_audit
from videos.lesson_models import Lesson, LessonRun
from videos.models import Video, VideoLook, VideoVisit, visit_id
from videos.places import PICTURES, POSTER, upload_of
from videos.storages import store

CLIP = b"what happened before the camera of X"
PICTURE = b"\xff\xd8 what the camera of X saw"
STREAM = "ab" * 16

# In the order of the tables' columns. All but the last two belong to unit X or to nobody.
ROLES = ("anonymous", "pending", "device", "guard", "operator", "admin", "staff", "root", "operator_y", "admin_y")
OUTSIDERS = ("anonymous", "pending", "operator_y", "admin_y")


@dataclass(frozen=True, slots=True)
class World:
    """Everything of unit X that somebody might want to see, the users by their role, and unit Y's camera."""

    unit: Unit
    camera: Camera
    device: Device
    device_token: str
    link_token: str
    visit: Visit
    users: dict[str, User]
    rows: dict[str, models.Model]
    camera_y: Camera
    visit_y: Visit
    export: Export
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def client(self, role: str) -> Client:
        """A browser in this role; the pending user's session is from before the approval was taken away."""
        client = Client(raise_request_exception=False)
        client.cookies = SimpleCookie(self.cookies[role])
        return client

    def log_in(self) -> World:
        for role in ROLES:
            client = Client()
            if user := self.users.get(role):
                client.force_login(user)
            self.cookies[role] = {name: morsel.value for name, morsel in client.cookies.items()}
        self.cookies["device"] = {enrolment.cookie_name(self.camera.pk): self.device_token}
        return self

    @property
    def marks(self) -> list[bytes]:
        """What only somebody of unit X may read, wherever it stands."""
        words = [str(self.rows["webhook"]), self.camera.name, self.camera.slug, str(self.visit.pk), self.device.label]
        words += [str(self.rows["profile"].pk), str(self.rows["appearance"].pk)]
        words += [str(self.rows["recording"].pk), CLIP.decode(), str(self.rows["token"])]
        words += [str(self.rows["video"].pk), str(self.rows["video"]), str(self.rows["videovisit"].pk)]
        words += [str(self.rows["lesson"].pk), str(self.rows["lesson"]), str(self.rows["lessonrun"].pk)]
        words += [self.users[role].username for role in ("guard", "operator", "admin", "staff")]
        return [PICTURE, *(word.encode() for word in words)]


def make_world() -> World:
    unit, other = Unit.objects.create(name="Harbour"), Unit.objects.create(name="Airfield")
    camera = Camera.objects.create(name="Quay gate", unit=unit)
    camera_y = Camera.objects.create(name="Runway gate", unit=other)
    redeemed = enrolment.redeem(_token(enrolment.create(camera, by=None)))
    Device.objects.filter(pk=redeemed.device.pk).update(label="Old tablet of the quay")
    redeemed.device.refresh_from_db()
    link_token = _token(enrolment.create(camera, by=None))
    users = {
        "pending": _user("pamela", is_approved=False),
        "guard": _user("gerald", (unit, Role.GUARD_POST)),
        "operator": _user("odette", (unit, Role.OPERATOR)),
        "admin": _user("adelheid", (unit, Role.UNIT_ADMIN)),
        "staff": _user("stanislaus", (unit, Role.OPERATOR), is_staff=True),
        "root": User.objects.create_superuser("rosamunde", password="x"),
        "operator_y": _user("yorick", (other, Role.OPERATOR)),
        "admin_y": _user("yolanda", (other, Role.UNIT_ADMIN)),
    }
    attempt = {"username": "odette", "ip_address": "10.0.0.1", "user_agent": "x", "path_info": "/login/"}
    visit, visit_y = (_visit(of) for of in (camera, camera_y))
    export = _export(camera, users["operator"])
    rows: dict[str, models.Model] = {
        "user": users["operator"],
        "unit": unit,
        "membership": users["operator"].memberships.get(),
        "camera": camera,
        "visit": visit,
        "token": tokens.issue(users["admin"], "Screen of the quay", cameras=[camera])[0],
        **_recorded(camera, users["operator"]),
        **_told(visit, users["admin"]),
        **_filmed(unit, users["operator"]),
        **_known(unit, users["operator"]),
        "accessattempt": AccessAttempt.objects.create(**attempt, failures_since_start=1, get_data="", post_data=""),
        "accesslog": AccessLog.objects.create(**attempt),
        "accessfailurelog": AccessFailureLog.objects.create(**attempt),
    }
    CoverageMinute.objects.create(camera=camera, minute=timezone.now().replace(second=0, microsecond=0), received=1)
    for path in (Path(settings.MEDIA_ROOT) / visit.picture, Path(settings.EXPORTS_DIR) / export.path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    device, token = redeemed.device, redeemed.token
    return World(unit, camera, device, token, link_token, visit, users, rows, camera_y, visit_y, export).log_in()


def _token(link: enrolment.Link) -> str:
    return link.url.rstrip("/").rpartition("/")[2]


def _user(name: str, *memberships: tuple[Unit, Role], is_approved: bool = True, is_staff: bool = False) -> User:
    user = User.objects.create_user(name, password="x", is_approved=is_approved, is_staff=is_staff)
    for unit, role in memberships:
        Membership.objects.create(user=user, unit=unit, role=role)
    return user


def _visit(camera: Camera) -> Visit:
    now = timezone.now()
    return Visit.objects.create(
        camera=camera,
        stream=STREAM,
        first_seq=1,
        state=Visit.State.PRESENT,
        first_seen=now - timedelta(minutes=1),
        last_seen=now,
        picture=f"visits/{camera.pk}/best.jpg",
    )


def _recorded(camera: Camera, user: User) -> dict[str, models.Model]:
    """A clip with its seal, and an entry of somebody who has looked at it."""
    now = timezone.now()
    path = f"{camera.pk}/{now:%Y/%m/%d/%H%M%SZ}-clip.mp4"
    times = {"start": now - timedelta(minutes=1), "end": now}
    clip = Recording.objects.create(camera=camera, state=Recording.State.READY, path=path, size=len(CLIP), **times)
    file = Path(settings.RECORDINGS_DIR) / path
    file.parent.mkdir(parents=True)
    for each in (file, file.with_suffix(".jpg"), file.with_suffix(".strip.jpg")):
        each.write_bytes(CLIP)
    sealed = evidence.seal(clip, hashlib.sha256(CLIP).hexdigest())
    return {"recording": clip, "seal": sealed, "auditentry": audit.note(user, AuditEntry.Action.VIEWED, clip)}


def _filmed(unit: Unit, user: User) -> dict[str, models.Model]:
    """A video with somebody in it, and an upload that is not complete."""
    video = Video.objects.create(
        unit=unit,
        uploaded_by=user,
        title="Film of the quay",
        state=Video.State.DONE,
        size=len(CLIP),
        extension="mp4",
        is_playable=True,
        duration_s=4,
        wants_poses=True,
    )
    person = VideoVisit.objects.create(id=visit_id(video.pk, 1), video=video, first_s=0, last_s=2)
    VideoVisit.objects.filter(pk=person.pk).update(picture=video.name_of(f"{PICTURES}/{person.pk}.jpg"))
    store().save(video.name_of("poses.jsonl"), ContentFile(b""))
    for name in (video.original_name, video.name_of(POSTER), video.name_of(f"{PICTURES}/{person.pk}.jpg")):
        store().save(name, ContentFile(CLIP))
    upload = Video.objects.create(unit=unit, uploaded_by=user, title="Rest of the quay", size=100)
    upload_of(upload.pk).parent.mkdir(parents=True)
    upload_of(upload.pk).touch()
    lesson = Lesson.objects.create(video=video, title="Drill of the quay", made_by=user)
    run = LessonRun.objects.create(lesson=lesson, user=user, state=LessonRun.State.ENDED, perfect=1)
    video_audit.note(user, VideoLook.Action.VIEWED, video)
    rows = {"video": video, "videovisit": person, "upload": upload, "lesson": lesson, "lessonrun": run}
    return {**rows, "videolook": VideoLook.objects.get()}


def _told(visit: Visit, user: User) -> dict[str, models.Model]:
    """A webhook, and the visit on its way to it; its address is one that is never sent to."""
    hook = Webhook.objects.create(user=user, name="Harbour office", url="http://127.0.0.1:9/")
    draft = Draft(EventType.VISIT_STARTED, visit.camera_id, visit.pk, visit.first_seen, {"id": str(visit.pk)})
    collect.store([draft], timezone.now())
    return {"webhook": hook, "delivery": Delivery.objects.get()}


def _known(unit: Unit, user: User) -> dict[str, models.Model]:
    """Two people of two videos, and an entry of somebody who has looked at one."""
    for seed in (1, 2):
        film = Video.objects.create(unit=unit, title="Film of the quay", state=Video.State.DONE)
        people.enrol(unit.pk, film.pk, people.newcomer(people.vector(seed), crop=PICTURE))
    profile, other = Profile.objects.order_by("pk")
    profile_audit.note(user, ProfileLook.Action.VIEWED, profile)
    look = ProfileLook.objects.get()
    return {"profile": profile, "other_profile": other, "appearance": profile.appearances.get(), "profilelook": look}


def _export(camera: Camera, user: User) -> Export:
    now = timezone.now()
    export = Export(user=user, camera=camera, start=now - timedelta(minutes=1), end=now, state=Export.State.READY)
    export.path = f"{export.pk}.mp4"
    export.save()
    return export


def fingerprint() -> dict[str, list[dict[str, object]]]:
    """Every row that a page could change, less what a mere look may change."""
    kinds: list[type[models.Model]] = [Unit, User, Membership, Camera, Device, Visit, CoverageMinute]
    kinds += [Recording, RecordingRules, Export, Seal]  # Looking at a clip may leave an AuditEntry.
    kinds += [Profile, Appearance, Face, Negative, Confirmation, FaceRules, UnitFaces]  # Looking leaves a ProfileLook.
    kinds += [Webhook, Event, Delivery, Video, VideoVisit, Lesson, LessonRun]  # Looking leaves a VideoLook.
    kinds += [Token, Enrolment, AccessAttempt, AccessLog, AccessFailureLog]
    passing = {"last_login", "last_seen_at", "last_used_at", "logout_time"}
    return {
        kind.__name__: [
            {field: value for field, value in row.items() if field not in passing}
            for row in kind._default_manager.order_by("pk").values()
        ]
        for kind in kinds
    }
