"""The forms of log-in and sign-up."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, User, may_log_in


class LogInForm(AuthenticationForm):
    """Tells whoever knows the password of an account that waits that it waits."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not may_log_in(user):
            raise ValidationError(_("This account waits for approval."), code="pending")

    @property
    def is_pending(self) -> bool:
        return self.has_error("__all__", code="pending")


class SignUpForm(BaseUserCreationForm):
    """Asks for an account; whether the name is taken is not told, for that would list who has one."""

    asked_unit = forms.ModelChoiceField(Unit.objects.all(), label=_("Unit"), required=False)

    class Meta:
        model = User
        fields = ("username", "last_name", "first_name", "asked_unit")

    def validate_unique(self) -> None:
        """Leaves the name to save_unless_taken()."""

    def validate_constraints(self) -> None:
        """Leaves the name to save_unless_taken()."""

    def save_unless_taken(self) -> User | None:
        """The new account, waiting; None where the name is taken, which takes as long."""
        if User.objects.filter(username__iexact=self.cleaned_data["username"]).exists():
            make_password(self.cleaned_data["password1"])
            return None
        try:
            with transaction.atomic():
                user: User = self.save()
                return user
        except IntegrityError:
            return None
