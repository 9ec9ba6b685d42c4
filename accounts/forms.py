"""The forms of log-in and sign-up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordMixin, UsernameField
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


class SignUpForm(SetPasswordMixin, forms.Form):
    """Asks for an account; whether the name is taken is not told, for that would list who has one."""

    username = UsernameField(
        label=_("Username"),
        max_length=150,
        validators=[User.username_validator],
        help_text=_("Letters, digits and @/./+/-/_ only."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "username"}),
    )
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    asked_unit = forms.ModelChoiceField(Unit.objects.all(), label=_("Unit"), required=False)
    password1, password2 = SetPasswordMixin.create_password_fields()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.validate_passwords()
        self.validate_password_for_user(self._account())
        return cleaned

    def save_unless_taken(self) -> User | None:
        """The new account, waiting; None where the name is taken, which takes as long."""
        user = self._account()
        user.set_password(self.cleaned_data["password1"])
        if User.objects.filter(username__iexact=user.username).exists():
            return None
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            return None
        return user

    def _account(self) -> User:
        fields = ("username", "last_name", "first_name", "asked_unit")
        return User(**{name: self.cleaned_data[name] for name in fields if name in self.cleaned_data})
