"""Webhooks in the admin: whom to tell of what, with a test, a secret that is shown once, and the log of deliveries."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.scoped import LookOnly, ScopedAdmin
from api import messages as told
from api import signing
from api.forms import WebhookForm
from api.models import Delivery, Webhook
from api.post import Letter, post, written
from cameras.models import Camera


@admin.register(Webhook)
class WebhookAdmin(ScopedAdmin):
    """One's own webhooks; a superuser's are everybody's."""

    form = WebhookForm
    list_display = ["name", "user", "host", "is_enabled", "waiting", "given_up", "created_at"]
    list_filter = ["is_enabled"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["name", "user__username"]
    filter_horizontal = ["cameras"]
    readonly_fields = ["user", "waiting", "given_up", "created_at"]
    fieldsets = (
        (None, {"fields": ("name", "url", "is_enabled")}),
        (_("What it is told of"), {"fields": ("events", "cameras")}),
        (_("Facts"), {"fields": ("user", "waiting", "given_up", "created_at")}),
    )
    change_form_template = "admin/api/webhook/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:2]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Webhook]:
        def count(state: Delivery.State) -> models.Count:
            return models.Count("deliveries", filter=models.Q(deliveries__state=state))

        counts = {"waiting_count": count(Delivery.State.WAITING), "given_up_count": count(Delivery.State.GIVEN_UP)}
        own: models.QuerySet[Webhook] = super().get_queryset(request).annotate(**counts)
        return own

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.remote_field.model is Camera:
            kwargs["queryset"] = Camera.objects.watchable_by(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its deliveries go along; they are counted, for nobody may delete one by hand."""
        counts = {
            str(Webhook._meta.verbose_name_plural): len(objs),
            str(Delivery._meta.verbose_name_plural): Delivery.objects.filter(webhook__in=objs).count(),
        }
        return [str(webhook) for webhook in objs], counts, set(), []

    # --- Columns and fields

    @admin.display(description=_("address"), ordering="url")
    def host(self, webhook: Webhook) -> str:
        """Without its path, in which services put their secrets."""
        return "/".join(webhook.url.split("/")[:3])

    @admin.display(description=_("waiting"), ordering="waiting_count")
    def waiting(self, webhook: Any) -> int:
        return int(webhook.waiting_count)

    @admin.display(description=_("given up"), ordering="given_up_count")
    def given_up(self, webhook: Any) -> int:
        return int(webhook.given_up_count)

    # --- Making one, its secret and its test

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        if not change:
            assert isinstance(request.user, User)  # The admin lets nobody else in.
            obj.user = request.user
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None) -> HttpResponse:
        return self._secret_page(request, obj, signing.secret_of(obj), is_renewed=False)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/secret/", view(self.secret_view), name="api_webhook_secret"),
            path("<path:object_id>/test/", view(self.test_view), name="api_webhook_test"),
            *super().get_urls(),
        ]

    def _managed(self, request: HttpRequest, object_id: str) -> Webhook:
        webhook: Webhook | None = self.get_object(request, unquote(object_id))
        if webhook is None:
            raise Http404
        if not self.has_change_permission(request, webhook):
            raise PermissionDenied
        return webhook

    @method_decorator([require_POST, never_cache])
    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Makes another secret and shows it this one time."""
        webhook = self._managed(request, object_id)
        secret = signing.renew(webhook)
        self.log_change(request, webhook, "Made a new secret.")
        return self._secret_page(request, webhook, secret, is_renewed=True)

    def _secret_page(self, request: HttpRequest, webhook: Webhook, secret: str, *, is_renewed: bool) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Secret of a webhook"),
            "opts": self.opts,
            "webhook": webhook,
            "secret": secret,
            "is_renewed": is_renewed,
        }
        response = TemplateResponse(request, "admin/api/webhook/secret.html", context)
        response["Cache-Control"] = "private, no-store"
        return response

    @method_decorator([require_POST, never_cache])
    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Sends a message of its own, at once and once."""
        webhook = self._managed(request, object_id)
        answer = async_to_sync(post)(test_letter(webhook))
        if answer.is_taken:
            self.message_user(
                request, gettext("The test was taken. Answer: %s") % gettext(answer.text), messages.SUCCESS
            )
        else:
            self.message_user(request, gettext("The test was not taken: %s") % gettext(answer.text), messages.ERROR)
        return redirect("admin:api_webhook_change", webhook.pk)


def test_letter(webhook: Webhook) -> Letter:
    id_ = str(uuid4())
    body = {"id": id_, "type": "test", "timestamp": told.written(timezone.now()), "data": {"webhook": webhook.name}}
    return Letter(id_, webhook.url, signing.secret_of(webhook), written(body))


class OwnWebhookFilter(admin.SimpleListFilter):
    """By webhook, of those that the user may see."""

    title = _("webhook")
    parameter_name = "webhook"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(each.pk), each.name) for each in Webhook.objects.manageable_by(request.user)]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(webhook=int(chosen)) if chosen.isdecimal() and len(chosen) < 19 else queryset


@admin.register(Delivery)
class DeliveryAdmin(LookOnly):
    """What became of each event on its way to each webhook."""

    list_display = ["event_at", "event_type", "camera", "webhook", "state", "tries", "answered", "next_try", "done_at"]
    list_filter = ["state", OwnWebhookFilter]
    list_select_related = ["webhook", "event__camera"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description=_("time"))
    def event_at(self, delivery: Delivery) -> Any:
        return delivery.event.at

    @admin.display(description=_("event"))
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.get_type_display()

    @admin.display(description=_("camera"))
    def camera(self, delivery: Delivery) -> str:
        return delivery.event.camera.name

    @admin.display(description=_("last answer"))
    def answered(self, delivery: Delivery) -> str:
        return gettext(delivery.answer) if delivery.answer else ""

    @admin.display(description=_("next try"))
    def next_try(self, delivery: Delivery) -> Any:
        return delivery.next_try_at if delivery.state == Delivery.State.WAITING else None
