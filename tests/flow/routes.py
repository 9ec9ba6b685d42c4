"""Every address of the site, and what comes of it for each role that asks for what belongs to unit X."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.db.models import Model
from django.http.response import HttpResponseBase
from django.urls import URLResolver, get_resolver

from tests.flow.roles import ROLES, World

# The admin's two regular expressions, by their beginnings.
REGULAR = {"^(?P<": "<app_label>/", "(?P<u": "<anything>"}


def patterns(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """The resolver's leaves, in full."""
    for found in (resolver or get_resolver()).url_patterns:
        if isinstance(found, URLResolver):
            yield from patterns(found, before + str(found.pattern))
        else:
            yield before + REGULAR.get(str(found.pattern)[:5], str(found.pattern))


def address(pattern: str, world: World) -> str:
    """The pattern with what unit X has in its places."""
    words = pattern.split("/")
    row = world.rows.get(words[2]) if len(words) > 2 else None
    places = {
        "<slug:slug>": world.camera.slug,
        "<uuid:visit_id>": str(world.visit.pk),
        "<uuidstr:id>": str(_row_of(pattern.removeprefix("api/"), world).pk),
        "<uuid:id_>": str(_row_of(pattern, world).pk),
        "<str:token>": world.link_token,
        "<path:object_id>": str(row.pk) if row else "",
        "<id>": str(row.pk) if row else "",
        "<int:device_id>": str(world.device.pk),
        "<app_label>": "cameras",
        "<anything>": "nothing/",
    }
    for place, value in places.items():
        pattern = pattern.replace(place, value)
    asked = {
        "api/events": "?follow=false",
        "admin/autocomplete/": "?app_label=accounts&model_name=membership&field_name=user",
        "recordings/timeline.json": f"?camera={world.camera.slug}&from=1790000000&to=1790003600",
        f"videos/{world.rows['video'].pk}/frames.json": "?from=0&to=1",
    }
    return f"/{pattern}{asked.get(pattern, '')}"


def _row_of(pattern: str, world: World) -> Model:
    """What the address of a page is about."""
    if pattern.startswith("lessons/"):
        return world.rows["lessonrun" if "/runs/" in pattern else "lesson"]
    if pattern.startswith("videos/"):
        kind = "upload" if "/upload/" in pattern else "videovisit" if "/people/" in pattern else "video"
        return world.rows[kind]
    if pattern.startswith("visits/"):
        return world.visit
    if pattern.startswith(("profiles/", "appearances/")):
        return world.rows["profile" if pattern.startswith("profiles/<") else "appearance"]
    return world.export if "/export/" in pattern else world.rows["recording"]


def form_of(world: World) -> dict[str, object]:
    """Fits every form of the site at once: makes, changes, moves to unit X or removes whatever the address names."""
    secret = "a new and long secret"
    return {
        "name": "changed",
        "username": "changed",
        "unit": world.unit.pk,
        "user": world.users["admin_y"].pk,
        "role": "unit_admin",
        "scope": "watch",
        "post": "yes",
        "action": "disable",
        "_selected_action": [world.camera.pk],
        "language": "ko",
        "url": "https://hooks.example/x",
        "camera": world.camera.slug,
        "to": world.rows["other_profile"].pk,
        "appearance": world.rows["appearance"].pk,
        "surname": "changed",
        "listing": "none",
        "sure": "yes",
        "answer": "no",
        "start": "2026-03-04T12:00",
        "end": "2026-03-04T13:00",
        "old_password": "x",
        **dict.fromkeys(("password1", "password2", "new_password1", "new_password2"), secret),
        "usable_password": "true",
        "faces-TOTAL_FORMS": 0,
        "faces-INITIAL_FORMS": 0,
    }


def outcome(response: HttpResponseBase) -> str:
    """A status, or the name of the place that it leads to."""
    if response.status_code not in {301, 302}:
        return str(response.status_code)
    path = urlsplit(response["Location"]).path
    if path.startswith("/admin/") and path.endswith("/change/"):
        return "change"
    if path.startswith("/capture/"):
        return "page" if path != "/capture/" else "capture"
    if path.startswith("/recordings/"):
        return "film" if "/export/" in path else "clip" if path != "/recordings/" else "clips"
    if path.startswith("/profiles/"):
        return "person" if path.count("/") == 3 and "confirm" not in path else "people"
    if path in {"/videos/", "/lessons/"}:
        return path.strip("/")
    names = {"/": "home", "/login/": "login", "/signup/pending/": "pending", "/password/": "password"}
    names |= {"/admin/": "index", "/admin/login/": "door", "/admin/password_change/done/": "done"}
    return names.get(path, "list" if path.startswith("/admin/") else path)


# By pattern: of GET and of POST. A star: something was changed. One word is everybody's; four in the admin are those of
# the unit's admin, staff, root and the other unit's admin, while the six others stand before a closed door.
ROUTES: dict[str, tuple[str, str]] = {
    "login/": (
        "200 200 200 capture home home home home home home",
        "200 200 200 capture home home home home home home",
    ),
    "logout/": ("405", "login"),
    "signup/": (
        "200 200 200 capture home home home home home home",
        "pending* pending* pending* capture home home home home home home",
    ),
    "signup/pending/": ("200", "405"),
    "password/": (
        "login login login 200 200 200 200 200 200 200",
        "login login login password* password* password* password* password* password* password*",
    ),
    "capture/": ("login login 200 200 200 200 200 200 200 200", "405"),
    "capture/<slug:slug>/": ("login login 200 200 200 200 200 200 404 404", "405"),
    "alarms/": ("login login login 200 200 200 200 200 200 200", "405"),
    "enrol/<str:token>/": ("200", "page*"),
    "cameras/<slug:slug>/stream.mjpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "cameras/<slug:slug>/snapshot.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "": ("login login login capture 200 200 200 200 200 200", "405"),
    "cameras/<slug:slug>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "visits/": ("login login login capture 200 200 200 200 200 200", "405"),
    "visits/<uuid:visit_id>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "visits/<uuid:visit_id>/picture.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "recordings/": ("login login login capture 200 200 200 200 200 200", "405"),
    "recordings/timeline.json": ("login login login capture 200 200 200 200 404 404", "405"),
    "recordings/alarm.json": ("login login login capture 200 200 200 200 200 200", "405"),
    "recordings/export/": (
        "login login login capture 200 200 200 200 200 200",
        "login login login capture film* film* film* film* 200 200",
    ),
    "recordings/export/<uuid:id_>/": ("login login login capture 200 404 404 404 404 404", "405"),
    "recordings/export/<uuid:id_>/film.mp4": ("login login login 404 200 404 404 404 404 404", "405"),
    "recordings/<uuid:id_>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/video.mp4": ("login login login 404 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/download/": ("login login login 404 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/poster.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/strip.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/frames.json": ("login login login capture 200 200 200 200 404 404", "405"),
    "recordings/<uuid:id_>/keep/": ("405", "login login login capture clip* clip* clip* clip* 404 404"),
    "recordings/<uuid:id_>/delete/": ("405", "login login login capture clip clips* clip clips* 404 404"),
    "videos/": ("login login login capture 200 200 200 200 200 200", "405"),
    # Uploads speak tus, with a header of its version, which no form has: tests/videos/test_uploads.py.
    "videos/upload/": ("405", "401 401 401 412 412 412 412 412 412 412"),
    "videos/upload/<uuid:id_>/": ("405", "405"),
    "videos/<uuid:id_>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/frames.json": ("login login login capture 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/status.json": ("login login login capture 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/film": ("login login login 404 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/original": ("login login login 404 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/poster.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/keypoints.csv": ("login login login capture 200 200 200 200 404 404", "405"),
    "videos/<uuid:id_>/keypoints.json": ("login login login capture 200 200 200 200 404 404", "405"),
    "lessons/": ("login login login capture 200 200 200 200 200 200", "405"),
    "lessons/new/": ("405", "login login login capture lessons lessons lessons lessons lessons lessons"),
    "lessons/runs/<uuid:id_>/": ("login login login capture 200 200 404 200 404 404", "405"),
    "lessons/<uuid:id_>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "lessons/<uuid:id_>/delete/": ("405", "login login login capture lessons* lessons* 404 lessons* 404 404"),
    "videos/<uuid:id_>/delete/": ("405", "login login login capture videos* videos* videos videos* 404 404"),
    "videos/people/<uuid:id_>/picture.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "profiles/": ("login login login capture 200 200 200 200 200 200", "405"),
    "profiles/confirm/": ("login login login capture 200 200 200 200 200 200", "405"),
    "profiles/<uuid:id_>/": ("login login login capture 200 200 200 200 404 404", "405"),
    "profiles/<uuid:id_>/edit/": ("405", "login login login capture person* person* person* person* 404 404"),
    "profiles/<uuid:id_>/merge/": ("405", "login login login capture person* person* person* person* 404 404"),
    "profiles/<uuid:id_>/split/": ("405", "login login login capture person person person person 404 404"),
    "profiles/<uuid:id_>/move/": ("405", "login login login capture person* person* person* person* 404 404"),
    "profiles/<uuid:id_>/export.zip": ("login login login capture 404 200 404 200 404 404", "405"),
    "profiles/<uuid:id_>/erase/": ("405", "login login login capture person people* person people* 404 404"),
    "profiles/faces/<uuid:id_>/face.jpg": ("login login login 404 200 200 200 200 404 404", "405"),
    "profiles/faces/<uuid:id_>/deny/": ("405", "login login login capture person* person* person* person* 404 404"),
    "profiles/faces/<uuid:id_>/answer/": ("405", "login login login capture people people people people 404 404"),
    "admin/": ("200", "200"),
    "admin/login/": (
        "login login login 404 404 index index index 404 index",
        "login login login 404 404 index index index 404 index",
    ),
    "admin/logout/": (
        "index index index index index 405 405 405 index 405",
        "index index index index index login login login index login",
    ),
    "admin/password_change/": ("200", "done*"),
    "admin/password_change/done/": ("200", "405"),
    "admin/autocomplete/": ("200 403 200 200", "405"),
    "admin/jsi18n/": ("200", "405"),
    "admin/accounts/user/<id>/password/": ("200 403 200 404", "change* 403 change* 404"),
    "admin/accounts/user/": ("200 403 200 200", "list 403 list list"),
    "admin/accounts/user/add/": ("403 403 200 403", "403 403 200 403"),
    "admin/accounts/user/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/accounts/user/<path:object_id>/delete/": ("403 403 200 index", "403 403 list* index"),
    "admin/accounts/user/<path:object_id>/change/": ("200 403 200 index", "200 403 200 index"),
    "admin/accounts/user/<path:object_id>/": ("change", "change"),
    "admin/accounts/unit/": ("200 403 200 200", "200 403 list 200"),
    "admin/accounts/unit/add/": ("403 403 200 403", "403 403 list* 403"),
    "admin/accounts/unit/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/accounts/unit/<path:object_id>/delete/": ("403 403 200 403", "403 403 200 403"),
    "admin/accounts/unit/<path:object_id>/change/": ("200 403 200 index", "list* 403 list* index"),
    "admin/accounts/unit/<path:object_id>/": ("change", "change"),
    "admin/accounts/membership/": ("200 403 200 200", "list 403 list list"),
    "admin/accounts/membership/add/": ("200 403 200 200", "200 403 list* 200"),
    "admin/accounts/membership/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/accounts/membership/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/accounts/membership/<path:object_id>/change/": ("200 403 200 index", "list* 403 list* index"),
    "admin/accounts/membership/<path:object_id>/": ("change", "change"),
    "admin/cameras/camera/test-source/": ("405", "200 403 200 200"),
    "admin/cameras/camera/<path:object_id>/zones/": ("200 404 200 404", "200 404 200 404"),
    "admin/cameras/camera/<path:object_id>/zones/picture.jpg": ("200 404 200 404", "405"),
    "admin/cameras/camera/<path:object_id>/enrol/": ("405", "200* 404 200* 404"),
    "admin/cameras/camera/<path:object_id>/revoke/<int:device_id>/": ("405", "change* 404 change* 404"),
    "admin/cameras/camera/": ("200 403 200 200", "list* 403 list* list"),
    "admin/cameras/camera/add/": ("200 403 200 200", "change* 403 change* 200"),
    "admin/cameras/camera/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/cameras/camera/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/cameras/camera/<path:object_id>/change/": ("200 403 200 index", "200 403 200 index"),
    "admin/cameras/camera/<path:object_id>/": ("change", "change"),
    "admin/cameras/token/<path:object_id>/revoke/": ("405", "change* 404 change* 404"),
    "admin/cameras/token/": ("200 403 200 200", "list 403 list list"),
    "admin/cameras/token/add/": ("200 403 200 200", "200* 403 200* 200*"),
    "admin/cameras/token/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/cameras/token/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/cameras/token/<path:object_id>/change/": ("200 403 200 index", "list* 403 list* index"),
    "admin/cameras/token/<path:object_id>/": ("change", "change"),
    "admin/detections/visit/": ("200 403 200 200", "list 403 list list"),
    "admin/detections/visit/add/": ("403", "403"),
    "admin/detections/visit/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/detections/visit/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/detections/visit/<path:object_id>/change/": ("200 403 200 index", "list 403 list index"),
    "admin/detections/visit/<path:object_id>/": ("change", "change"),
    "admin/recordings/recording/": ("200 403 200 200", "list 403 list list"),
    "admin/recordings/recording/add/": ("403", "403"),
    "admin/recordings/recording/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/recordings/recording/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/recordings/recording/<path:object_id>/change/": ("200 403 200 index", "list 403 list index"),
    "admin/recordings/recording/<path:object_id>/": ("change", "change"),
    "admin/recordings/seal/": ("200 403 200 200", "200 403 200 200"),
    "admin/recordings/seal/add/": ("403", "403"),
    "admin/recordings/seal/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/recordings/seal/<path:object_id>/delete/": ("403", "403"),
    "admin/recordings/seal/<path:object_id>/change/": ("200 403 200 index", "403"),
    "admin/recordings/seal/<path:object_id>/": ("change", "change"),
    "admin/recordings/auditentry/": ("200 403 200 200", "200 403 200 200"),
    "admin/recordings/auditentry/add/": ("403", "403"),
    "admin/recordings/auditentry/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/recordings/auditentry/<path:object_id>/delete/": ("403", "403"),
    "admin/recordings/auditentry/<path:object_id>/change/": ("200 403 200 index", "403"),
    "admin/recordings/auditentry/<path:object_id>/": ("change", "change"),
    "admin/profiles/profilelook/": ("200 403 200 200", "200 403 200 200"),
    "admin/profiles/profilelook/add/": ("403", "403"),
    "admin/profiles/profilelook/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/profiles/profilelook/<path:object_id>/delete/": ("403", "403"),
    "admin/profiles/profilelook/<path:object_id>/change/": ("200 403 200 index", "403"),
    "admin/profiles/profilelook/<path:object_id>/": ("change", "change"),
    "admin/videos/videolook/": ("200 403 200 200", "200 403 200 200"),
    "admin/videos/videolook/add/": ("403", "403"),
    "admin/videos/videolook/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/videos/videolook/<path:object_id>/delete/": ("403", "403"),
    "admin/videos/videolook/<path:object_id>/change/": ("200 403 200 index", "403"),
    "admin/videos/videolook/<path:object_id>/": ("change", "change"),
    "admin/api/webhook/": ("200 403 200 200", "list 403 list list"),
    "admin/api/webhook/add/": ("200 403 200 200", "200* 403 200* 200*"),
    "admin/api/webhook/<path:object_id>/secret/": ("405", "200* 404 200* 404"),
    "admin/api/webhook/<path:object_id>/test/": ("405", "change 404 change 404"),
    "admin/api/webhook/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/api/webhook/<path:object_id>/delete/": ("200 403 200 index", "list* 403 list* index"),
    "admin/api/webhook/<path:object_id>/change/": ("200 403 200 index", "list* 403 list* index"),
    "admin/api/webhook/<path:object_id>/": ("change", "change"),
    "admin/api/delivery/": ("200 403 200 200", "200 403 200 200"),
    "admin/api/delivery/add/": ("403", "403"),
    "admin/api/delivery/<path:object_id>/history/": ("200 index 200 index", "200 index 200 index"),
    "admin/api/delivery/<path:object_id>/delete/": ("403", "403"),
    "admin/api/delivery/<path:object_id>/change/": ("200 403 200 index", "403"),
    "admin/api/delivery/<path:object_id>/": ("change", "change"),
    "admin/<app_label>/": ("200 404 200 200", "200 404 200 200"),
    "admin/<anything>": ("404", "404"),
    "docs": ("200", "405"),
    "api/openapi.json": ("200", "405"),
    "api/": ("404", "404"),
    # What a program asks with a token, and changes by PATCH and DELETE, is in tests/api/test_rights.py.
    "api/cameras": (
        "401 401 401 200 200 200 200 200 200 200",
        "401 401 401 400 400 400 400 400 400 400",
    ),
    "api/cameras/<slug:slug>": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/cameras/<slug:slug>/enrolment": ("405", "401 401 401 404 403 201* 403 201* 404 404"),
    "api/cameras/<slug:slug>/coverage": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/cameras/<slug:slug>/state": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/events": ("401 401 401 200 200 200 200 200 200 200", "405"),
    "api/state": ("401 401 401 200 200 200 200 200 200 200", "405"),
    "api/visits": ("401 401 401 200 200 200 200 200 200 200", "405"),
    "api/visits/<uuidstr:id>": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/visits/<uuidstr:id>/picture.jpg": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/recordings": ("401 401 401 200 200 200 200 200 200 200", "405"),
    "api/recordings/<uuidstr:id>": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/recordings/<uuidstr:id>/video.mp4": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/recordings/<uuidstr:id>/poster.jpg": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/recordings/<uuidstr:id>/keep": ("405", "401 401 401 404 200* 200* 200* 200* 404 404"),
    "api/recordings/<uuidstr:id>/release": ("405", "401 401 401 404 403 200 403 200 404 404"),
    "api/videos": (
        "401 401 401 200 200 200 200 200 200 200",
        "401 401 401 400 400 400 400 400 400 400",
    ),
    "api/videos/<uuidstr:id>": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/status": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/original": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/film": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/poster.jpg": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/people": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/people/<uuidstr:id>/picture.jpg": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/profiles": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/frames": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/keypoints.csv": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/keypoints.json": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/profiles/<uuidstr:id>": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/profiles/<uuidstr:id>/appearances": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/profiles/<uuidstr:id>/videos": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/appearances/<uuidstr:id>/face.jpg": ("401 401 401 404 200 200 200 200 404 404", "405"),
    "api/videos/<uuidstr:id>/cancel": ("405", "401 401 401 404 409 409 403 409 404 404"),
    "api/profiles": ("401 401 401 200 200 200 200 200 200 200", "405"),
    "healthz": ("503", "405"),
    "metrics": ("login login login 404 404 404 404 200 404 404", "405"),
    "language/": ("home", "home"),
}


def expected(pattern: str, row: str) -> dict[str, str]:
    """The row by role."""
    words = row.split()
    if pattern.startswith("admin/") and len(words) < len(ROLES):
        admin, staff, root, other = words * 4 if len(words) == 1 else words
        return {**dict.fromkeys(ROLES, "door"), "admin": admin, "staff": staff, "root": root, "admin_y": other}
    return dict(zip(ROLES, words * len(ROLES) if len(words) == 1 else words, strict=True))
