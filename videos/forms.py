"""What is asked of who uploads a video; the script reads it and sends it along with each file."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, Viewer
from detections import weights
from profiles import weights as face_weights
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
        self.has_pose_model, self.has_face_models = not weights.why_not(weights.POSES), face_weights.are_there()
        self.units_with_faces = [unit.slug for unit in units if self.has_face_models and allows_faces(unit.pk)]
        self.fields["poses"].disabled = not self.has_pose_model
        self.fields["faces"].disabled = not self.units_with_faces
