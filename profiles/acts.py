"""What is done on the pages of profiles besides looking: edit, merge, split, move, deny, confirm and erase."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User, may_log_in
from profiles import audit, erase, mend
from profiles.forms import ProfileForm
from profiles.mend import Refused
from profiles.models import Appearance, Profile, ProfileLook
from profiles.views import page_of, with_faces

P = ParamSpec("P")
Act = Callable[Concatenate[HttpRequest, User, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def for_actors(act: Act[P]) -> View[P]:
    """Like for_watchers, of a form that was sent; `act` gets whoever sent it."""

    @wraps(act)
    @never_cache
    @require_POST
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        if not request.user.may_watch:
            return redirect("cameras:capture-list")
        return act(request, request.user, *args, **kwargs)

    return checked


def _profile(user: User, id_: UUID | str) -> Profile:
    return get_object_or_404(Profile.objects.visible_to(user), pk=id_)


def _annotated(user: User, id_: UUID) -> Profile:
    """As it is stored, for a page that shows what was typed in besides."""
    return get_object_or_404(with_faces(Profile.objects.visible_to(user)).select_related("unit"), pk=id_)


def _asked(user: User, request: HttpRequest, unit_id: int) -> Profile | None:
    """The profile that the form names, of the same unit; None where none of these is meant."""
    try:
        wanted = UUID(request.POST.get("to", ""))
    except ValueError:
        return None
    return Profile.objects.visible_to(user).filter(pk=wanted, unit_id=unit_id).first()


@for_actors
def edit(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = _profile(user, id_)
    form = ProfileForm(request.POST, instance=found)
    if not form.is_valid():
        return render(request, "profiles/profile.html", page_of(request, _annotated(user, id_), form), status=400)
    if form.changed_data:
        # A face that was seen meanwhile is not unseen again.
        found.save(update_fields=form.changed_data)
        audit.note(user, ProfileLook.Action.EDITED, found, ", ".join(form.changed_data))
    messages.success(request, _("Saved."))
    return redirect(found)


@for_actors
def merge(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = _profile(user, id_)
    other = _asked(user, request, found.unit_id)
    if other is None:
        messages.error(request, _("Choose the profile that is the same person."))
        return redirect(found)
    try:
        mend.merge(found, other, user)
    except Refused:
        messages.error(request, _("These two cannot be merged."))
    else:
        messages.success(request, _("The two profiles are one now."))
    return redirect(found)


@for_actors
def split(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = _profile(user, id_)
    try:
        made = mend.split(found, _chosen(request), user)
    except Refused:
        messages.error(request, _("Choose some of the appearances, but not all of them."))
        return redirect(found)
    messages.success(request, _("The chosen appearances are a profile of their own now."))
    return redirect(made)


@for_actors
def move(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = _profile(user, id_)
    to = _asked(user, request, found.unit_id)
    try:
        if to is None:
            raise Refused("move")
        moved = mend.move(found, _chosen(request), to, user)
    except Refused:
        messages.error(request, _("Choose the appearances, and the profile that they belong to."))
        return redirect(found)
    told = ngettext("%(n)d appearance was moved here.", "%(n)d appearances were moved here.", moved)
    messages.success(request, told % {"n": moved})
    return redirect(to)


def _chosen(request: HttpRequest) -> list[UUID]:
    """The appearances that the form names."""
    chosen: list[UUID] = []
    for text in request.POST.getlist("appearance")[:1_000]:
        try:
            chosen.append(UUID(text))
        except ValueError:
            continue
    return chosen


@for_actors
def deny(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    appearance = _appearance(user, id_)
    try:
        made = mend.deny(appearance, user)
    except Refused as error:
        raise Http404 from error
    messages.success(request, _("Noted: this is somebody else. This face will not be taken for that person again."))
    return redirect(made)


def _appearance(user: User, id_: UUID) -> Appearance:
    return get_object_or_404(Appearance.objects.visible_to(user).select_related("profile"), pk=id_)


@for_actors
def answer(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    appearance = _appearance(user, id_)
    words = {"yes": True, "no": False}
    if request.POST.get("answer") not in words:
        return redirect("profiles:confirm")
    try:
        mend.answer(appearance, user, is_it=words[request.POST["answer"]])
    except Refused:
        messages.info(request, _("Somebody has answered this already."))
    return redirect("profiles:confirm")


@for_actors
def erase_profile(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    found = _profile(user, id_)
    if not Profile.objects.manageable_by(user).filter(pk=found.pk).exists():
        messages.error(request, _("Only a unit admin may erase a profile."))
        return redirect(found)
    if request.POST.get("sure") != "yes":
        messages.error(request, _("Tick the box to erase this profile."))
        return redirect(found)
    gone = erase.profile(found, user)
    messages.success(request, _said(gone))
    return redirect("profiles:list")


def _said(gone: erase.Erased) -> str:
    parts = [
        ngettext("%(n)d appearance", "%(n)d appearances", gone.appearances) % {"n": gone.appearances},
        ngettext("%(n)d picture", "%(n)d pictures", gone.pictures) % {"n": gone.pictures},
        ngettext("%(n)d face vector", "%(n)d face vectors", gone.faces) % {"n": gone.faces},
        ngettext("%(n)d negative example", "%(n)d negative examples", gone.negatives) % {"n": gone.negatives},
        ngettext("%(n)d open question", "%(n)d open questions", gone.questions) % {"n": gone.questions},
    ]
    return _("Erased: %(what)s.") % {"what": ", ".join(parts)}
