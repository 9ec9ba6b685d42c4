"""The admin's form of a camera, which never sends a stored password to the browser."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from cameras.models import Camera
from cameras.sources import HIDDEN


class CameraForm(forms.ModelForm):
    """Shows a camera's address with its secrets blotted out; left as it is, the stored one stays."""

    class Meta:
        model = Camera
        fields = ("name", "unit", "source", "is_enabled", "target_fps", "confidence", "visit_gap_s")

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
