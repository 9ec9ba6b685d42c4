"""The admin's form of a webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from api.models import EventType, Webhook
from api.post import what_is_wrong, why_forbidden
from cameras.models import Camera

WRONG = {
    "host": _("This address names no host, or a port that does not exist."),
    "scheme": _("A webhook's address begins with https:// or http:// and names a host."),
    "password": _("An address with a password is not taken: messages are signed instead."),
    "space": _("An address has no spaces or control characters."),
}


class WebhookForm(forms.ModelForm):
    """Offers the events by name; none chosen means all."""

    events = forms.MultipleChoiceField(
        label=_("events"),
        choices=EventType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: all of them."),
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "events", "cameras", "is_enabled")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if wrong := what_is_wrong(url):
            raise ValidationError(WRONG[wrong], code=wrong)
        if address := why_forbidden(url):
            message = _("Nothing is sent to this address: %(address)s. Whoever runs the server can allow it.")
            raise ValidationError(message, code="address_not_allowed", params={"address": address})
        return url

    def clean_cameras(self) -> Any:
        """With those that it has and its user may not watch now: without them it might be told of all."""
        chosen = self.cleaned_data["cameras"]
        if self.instance.pk is None:
            return chosen
        field = self.fields["cameras"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        assert field.queryset is not None
        unseen = self.instance.cameras.exclude(pk__in=field.queryset.values("pk"))
        return Camera.objects.filter(pk__in=[camera.pk for camera in [*chosen, *unseen]])

    def clean_events(self) -> list[Any]:
        return list(self.cleaned_data["events"])
