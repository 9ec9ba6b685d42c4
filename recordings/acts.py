"""What operators do with clips besides looking: keep and release, delete, and order a film of a time range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User, may_log_in
from detections.views import for_watchers
from recordings import export as exporting
from recordings import keeping, storage
from recordings.forms import ExportForm
from recordings.models import Export, Recording

SHOWN = 20
Act = Callable[[HttpRequest, User, UUID], HttpResponse]


def for_actors(act: Act) -> Callable[[HttpRequest, UUID], HttpResponse]:
    """Like for_watchers, of a form that was sent; `act` gets whoever sent it."""

    @wraps(act)
    @never_cache
    @require_POST
    def checked(request: HttpRequest, id_: UUID) -> HttpResponse:
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        if not request.user.may_watch:
            return redirect("cameras:capture-list")
        return act(request, request.user, id_)

    return checked


def _may_manage(user: User, clip: Recording) -> bool:
    return Recording.objects.manageable_by(user).filter(pk=clip.pk).exists()


@for_actors
def keep(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    """Whoever may watch a clip may keep it; only whoever manages its camera may give it free again."""
    clip = get_object_or_404(Recording.objects.visible_to(user).select_related("camera"), pk=id_)
    if request.POST.get("keep") != "no":
        keeping.keep(clip, user)
    elif _may_manage(user, clip):
        keeping.release(clip, user)
    else:
        messages.error(request, _("Only a unit admin may let a kept recording go."))
    return redirect(_back(request, clip.get_absolute_url()))


@for_actors
def delete(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    clip = get_object_or_404(Recording.objects.visible_to(user).select_related("camera"), pk=id_)
    if not _may_manage(user, clip):
        messages.error(request, _("Only a unit admin may delete a recording."))
        return redirect(clip)
    if storage.state().problem in {"missing", "read_only"}:
        messages.error(request, _("The storage of recordings is away or locked: nothing can be deleted now."))
        return redirect(clip)
    if not keeping.delete(clip, user):
        messages.error(request, _("A recording that is kept or still being made cannot be deleted."))
        return redirect(clip)
    messages.success(request, _("The recording was deleted."))
    query = {"camera": clip.camera.slug, "day": f"{timezone.localtime(clip.start):%Y-%m-%d}"}
    return redirect(f"{reverse('recordings:list')}?{urlencode(query)}")


def _back(request: HttpRequest, usual: str) -> str:
    asked = request.POST.get("next", "")
    return asked if url_has_allowed_host_and_scheme(asked, allowed_hosts=None) else usual


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Asks for a film, and lists those asked for lately. `?camera=`, `start=` and `end=` fill the form in."""
    if not may_log_in(request.user):
        return redirect_to_login(request.get_full_path())
    user = request.user
    if not user.may_watch:
        return redirect("cameras:capture-list")
    form = ExportForm(request.POST if request.method == "POST" else None, viewer=user, initial=_initial(request.GET))
    if request.method == "POST" and form.is_valid():
        if not exporting.is_full(user):
            wanted = form.cleaned_data
            made = exporting.ask(user, wanted["camera"], wanted["start"], wanted["end"])
            return redirect("recordings:export-page", made.pk)
        form.add_error(None, _("Your other films are still being made. Ask again when one of them is ready."))
    context = {"form": form, "exports": exporting.own(user).select_related("camera")[:SHOWN]}
    return render(request, "recordings/export.html", context)


def _initial(query: QueryDict) -> dict[str, Any]:
    initial: dict[str, Any] = {"camera": query.get("camera", "")}
    for name in ("start", "end"):
        try:
            asked = datetime.fromisoformat(query.get(name, ""))
        except ValueError:
            continue
        initial[name] = asked if timezone.is_aware(asked) else asked.replace(tzinfo=timezone.get_current_timezone())
    return initial


@for_watchers
def export_page(request: HttpRequest, id_: UUID) -> HttpResponse:
    """How far one film is; the page asks again by itself until it is made."""
    made = exporting.own(request.user).select_related("camera").filter(pk=id_).first()
    if made is None:
        raise Http404
    if made.state in {Export.State.WAITING, Export.State.RUNNING}:
        exporting.ring(made)
    context = {"export": made, "goes_at": made.created_at + exporting.KEPT, "length": made.end - made.start}
    context["is_under_way"] = made.state in {Export.State.WAITING, Export.State.RUNNING}
    context["is_long"] = made.end - made.start > timedelta(hours=1)
    return render(request, "recordings/export_page.html", context)
