"""Access tokens in the admin: made for oneself, shown once, revoked; superusers see and end everybody's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User, Viewer, may_log_in
from accounts.scoped import ScopedAdmin, is_superuser
from cameras import tokens
from cameras.forms import TokenForm
from cameras.models import Camera, Token

NAMED = 3  # Cameras in the list's column; of more, how many there are.
MOST_ADDRESSES = 20


@admin.register(Token)
class TokenAdmin(ScopedAdmin):
    """The tokens of a user who manages something; what a token may do never changes, another is made instead."""

    form = TokenForm
    list_display = ["name", "state", "may", "limits", "last_used_at", "expires_at"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["name"]
    fields = ["name", "scope", "cameras", "expires_at"]
    actions = ["revoke_chosen"]
    change_form_template = "admin/cameras/token/change_form.html"

    def managed_by(self, user: Viewer) -> models.QuerySet[Token]:
        if not (may_log_in(user) and user.may_manage):
            return Token.objects.none()
        return Token.objects.all() if user.is_superuser else Token.objects.filter(user=user)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Token]:
        rows: models.QuerySet[Token] = super().get_queryset(request)
        return rows.prefetch_related("cameras")

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*self.list_display[:1], *(["user"] if is_superuser(request) else []), *self.list_display[1:]]

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> Any:
        facts = ["user", "created_at", "last_used_at", "state"]
        return ["name", "scope", "limits", "expires_at", *facts] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> Any:
        return self.get_fields(request, obj)[1:] if obj else []

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.remote_field.model is Camera:
            kwargs["queryset"] = Camera.objects.watchable_by(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "cameras":
            field.widget.can_add_related = False
        return field

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With one button: a new token's secret must be seen before anything else."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, {**buttons, **(extra_context or {})}
        )
        return response

    # --- Columns

    @admin.display(description=_("scope"), ordering="scope")
    def may(self, token: Token) -> str:
        """In a word: the column is narrow."""
        return token.get_scope_display().partition(":")[0]

    @admin.display(description=_("cameras"))
    def limits(self, token: Token) -> str:
        names = [camera.name for camera in token.cameras.all()]
        if not names:
            return gettext("all that its user may see")
        if len(names) > NAMED:
            return ngettext("%d camera", "%d cameras", len(names)) % len(names)
        return ", ".join(names)

    @admin.display(description=_("state"))
    def state(self, token: Token) -> str:
        if token.revoked_at:
            tone, word = "off", pgettext("access token", "revoked")
        elif token.expires_at and token.expires_at <= timezone.now():
            tone, word = "off", gettext("expired")
        elif not (token.user.is_active and token.user.is_approved):
            tone, word = "off", gettext("its user is blocked")
        else:
            tone, word = "good", gettext("valid")
        hint = localize(timezone.localtime(token.revoked_at)) if token.revoked_at else ""
        return format_html('<span class="lamp" data-lamp="{}" title="{}">{}</span>', tone, hint, word)

    # --- Making one

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        if not isinstance(request.user, User):
            raise PermissionDenied
        obj.user = request.user
        # Its cameras follow within the same transaction, and nobody knows the secret before.
        obj.secret = tokens.keep(obj, ())  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Token, post_url_continue: str | None = None) -> HttpResponse:
        """Shows the secret this one time."""
        secret: str = obj.secret  # type: ignore[attr-defined]
        named = obj.cameras.all() or Camera.objects.watchable_by(request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Access token"),
            "opts": self.opts,
            "token": obj,
            "secret": secret,
            "cameras": named.select_related("unit")[:MOST_ADDRESSES],
            "site": request.build_absolute_uri("/").rstrip("/"),
        }
        return TemplateResponse(request, "admin/cameras/token/issued.html", context)

    # --- Ending one

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke_view)
        return [path("<path:object_id>/revoke/", view, name="cameras_token_revoke"), *super().get_urls()]

    @method_decorator([require_POST, never_cache])
    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ends a token at once, its open streams included."""
        token: Token | None = self.get_object(request, unquote(object_id))
        if token is None:
            raise Http404
        self._revoke(request, token)
        self.message_user(request, _("The token %s is revoked.") % token, messages.SUCCESS)
        return redirect(reverse("admin:cameras_token_change", args=[quote(token.pk)]))

    @admin.action(description=_("Revoke the tokens"), permissions=["change"])
    def revoke_chosen(self, request: HttpRequest, queryset: models.QuerySet[Token]) -> None:
        ended = sum(self._revoke(request, token) for token in queryset)
        self.message_user(request, ngettext("%d token revoked.", "%d tokens revoked.", ended) % ended)

    def _revoke(self, request: HttpRequest, token: Token) -> bool:
        is_ended = tokens.revoke(token)
        if is_ended:
            self.log_change(request, token, "Revoked.")
        return is_ended

    def delete_model(self, request: HttpRequest, obj: Token) -> None:
        tokens.revoke(obj)  # Tells its open streams.
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Token]) -> None:
        for token in queryset:
            tokens.revoke(token)
        super().delete_queryset(request, queryset)
