"""The admin's forms of a camera, which never sends a stored password to the browser, and of its zones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet, inlineformset_factory
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cameras import zones
from cameras.models import Camera, Token, Zone
from cameras.sources import HIDDEN
from cameras.zones import BadZone


class CameraForm(forms.ModelForm):
    """Shows a camera's address with its secrets blotted out; left as it is, the stored one stays."""

    class Meta:
        model = Camera
        fields = ("name", "unit", "source", "is_enabled", "target_fps", "confidence", "visit_gap_s")
        widgets = {"source": AdminTextInputWidget()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.source:
            self.initial["source"] = self.instance.source_redacted
        if "source" in self.fields:
            # The model's own check would refuse the blots; clean_source() runs it on the real address.
            self.fields["source"].validators = []

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"]
        if source and source == self.instance.source_redacted:
            stored: str = self.instance.source
            return stored
        if HIDDEN in source:
            raise ValidationError(_("To change this address, write it out again with its password."), code="blotted")
        return source


WORDS = {
    "not_points": _("Write corners as pairs of numbers: [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]."),
    "outside": _("A corner lies outside of the picture: numbers go from 0 to 1."),
    "line_needs_two": _("A line has two ends."),
    "corners": _("An area has 3 to 32 corners."),
    "crosses_itself": _("The sides of an area must not cross each other."),
    "too_small": _("This is too small to be seen."),
}


class CornersField(forms.JSONField):
    """Empty where there are none yet, and not the word "null"."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class ZoneForm(forms.ModelForm):
    """One zone. Only an area has somebody loiter in it."""

    class Meta:
        model = Zone
        fields = ("name", "kind", "loiter_s", "points")
        field_classes = {"points": CornersField}
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField", "size": 20}),
            "loiter_s": forms.NumberInput(attrs={"min": 1, "max": 86_400, "step": "any", "size": 6}),
            "points": forms.Textarea(attrs={"rows": 1, "cols": 30, "spellcheck": "false", "class": "zone-points"}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind") != Zone.Kind.AREA:
            cleaned["loiter_s"] = None
        if "points" in cleaned and "kind" in cleaned:
            try:
                cleaned["points"] = zones.parse(cleaned["points"], is_line=cleaned["kind"] == Zone.Kind.LINE)
            except BadZone as bad:
                self.add_error("points", ValidationError(WORDS[bad.reason], code=bad.reason))
            else:
                cleaned["points"] = [list(point) for point in cleaned["points"]]
        return cleaned


class ZoneFormSet(BaseInlineFormSet):
    """All zones of a camera; two may not have one name."""

    def clean(self) -> None:
        super().clean()
        names: set[str] = set()
        for form in self.forms:
            cleaned = getattr(form, "cleaned_data", {})
            if cleaned.get("DELETE") or "name" not in cleaned:
                continue
            name = cleaned["name"]
            if name in names:
                form.add_error("name", ValidationError(_("Two zones cannot have one name."), code="twice"))
            names.add(name)

    def get_unique_error_message(self, unique_check: Any) -> str:
        return str(_("Two zones cannot have one name."))


zone_forms = inlineformset_factory(
    Camera,
    Zone,
    form=ZoneForm,
    formset=ZoneFormSet,
    extra=0,
    max_num=zones.MOST_ZONES,
    absolute_max=2 * zones.MOST_ZONES,
    validate_max=True,
    can_delete=True,
)


class TokenForm(forms.ModelForm):
    """Makes an access token; one that has expired before it begins helps nobody."""

    class Meta:
        model = Token
        fields = ("name", "scope", "cameras", "expires_at")
        widgets = {"cameras": forms.CheckboxSelectMultiple}
        help_texts = {
            "scope": _(
                "To manage is also to keep and delete clips, to upload and delete videos and to change profiles; "
                "videos and profiles only without named cameras."
            )
        }

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError(_("This time is past."), code="past")
        return expires_at
