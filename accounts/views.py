"""Pages of an account: log in, sign up, wait, change the password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import LogInForm, SignUpForm
from accounts.models import User, may_log_in


def home_of(user: User) -> str:
    """Where a user belongs after logging in: a guard post on its capture pages, everyone else on the dashboard."""
    return resolve_url(settings.LOGIN_REDIRECT_URL if user.may_watch else "cameras:capture-list")


class LogInView(LoginView):
    """Django's view: it starts a fresh session and follows `next` only within the site; django-axes counts failures."""

    template_name = "accounts/log_in.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        user = self.request.user
        return home_of(user) if may_log_in(user) else resolve_url(settings.LOGIN_REDIRECT_URL)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if isinstance(form, LogInForm) and form.is_pending:
            return redirect("accounts:pending")
        return super().form_invalid(form)


@sensitive_post_parameters("password1", "password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Asks for an account; the answer is the same whether the name was free or not."""
    if may_log_in(request.user):
        return redirect(home_of(request.user))
    if User.objects.waiting().count() >= settings.MAX_SIGN_UPS:
        return render(request, "accounts/sign_up_closed.html", status=503)
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save_unless_taken()
        return redirect("accounts:pending")
    return render(request, "accounts/sign_up.html", {"form": form})


@require_safe
def pending(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/pending.html")


@method_decorator(never_cache, name="dispatch")
class PasswordView(PasswordChangeView):
    """Changes the password: this session goes on, every other one of the account ends."""

    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("accounts:password-change")

    def form_valid(self, form: object) -> HttpResponse:
        response = super().form_valid(form)  # type: ignore[arg-type]
        messages.success(self.request, _("Your password has been changed. You are logged out everywhere else."))
        return response
