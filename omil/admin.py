"""The admin site: open to superusers, staff and unit admins, each of whom sees only what they manage."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from accounts.models import may_log_in


class OmilAdminSite(AdminSite):
    """Logs in at the site's one log-in page, so that its rate limit and its rules cannot be gone round."""

    site_title = "Omil"
    site_header = "Omil"
    index_title = _("Administration")

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return may_log_in(user) and (user.is_staff or user.may_manage)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        target = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
            target = reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return redirect(target)
        if may_log_in(request.user):
            raise Http404
        return redirect_to_login(target)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        return LogoutView.as_view()(request)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Leaves out Django's redirect to any object's page, which asks for no right to the object."""
        return [url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site"]
