"""What is asked of who uploads a video; the script reads it and sends it along with each file."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, Viewer
from profiles.rules import allows_faces

RATES = (1, 2, 5, 10, 15, 30)


class UploadForm(forms.Form):
    """Its fields are named as the upload's metadata are."""

    unit = forms.ModelChoiceField(Unit.objects.none(), label=_("Unit"), empty_label=None, to_field_name="slug")
    per_s = forms.ChoiceField(label=_("Pictures looked at per second"))
    poses = forms.BooleanField(label=_("Poses"), required=False)
    faces = forms.BooleanField(label=_("Faces"), required=False)

    def __init__(self, *, viewer: Viewer) -> None:
        super().__init__(label_suffix="")
        units = Unit.objects.watchable_by(viewer)
        usual = f"{settings.VIDEO_PER_S:g}"
        rates = sorted({*RATES, settings.VIDEO_PER_S})
        self.fields["unit"].queryset = units  # type: ignore[attr-defined]
        self.fields["per_s"].choices = [(f"{rate:g}", f"{rate:g}") for rate in rates]  # type: ignore[attr-defined]
        self.fields["per_s"].initial = usual
        self.may_faces = any(allows_faces(unit.pk) for unit in units)
        self.fields["faces"].disabled = not self.may_faces
