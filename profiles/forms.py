"""The filter of the list of profiles, the form of what is known about one, and the place where a page begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, Viewer
from profiles.models import Profile, ProfileQuerySet

EARLIEST = date(1890, 1, 1)
SEARCHED = ("surname", "name", "middle_name", "notes")
UNNAMED = Q(surname="", name="", middle_name="")


def searched(profiles: ProfileQuerySet, text: str) -> ProfileQuerySet:
    """Those of whom each word of the text is written somewhere."""
    for word in text.split():
        fits = Q()
        for field in SEARCHED:
            fits |= Q(**{f"{field}__icontains": word})
        profiles = profiles.filter(fits)
    return profiles


def can_be_born(born: date) -> bool:
    return EARLIEST <= born <= timezone.localdate()


class ProfileFilter(forms.Form):
    """Which profiles are shown; every field may be empty."""

    q = forms.CharField(label=_("Name or note"), required=False, max_length=80)
    unit = forms.ModelChoiceField(
        Unit.objects.none(), label=_("Unit"), required=False, to_field_name="slug", empty_label=_("All units")
    )
    listing = forms.ChoiceField(
        label=_("List"),
        required=False,
        choices=[("", _("Any")), ("wanted", _("Wanted")), ("allowed", _("Allowed")), ("none", _("On no list"))],
    )
    named = forms.ChoiceField(
        label=_("Name"), required=False, choices=[("", _("Any")), ("yes", _("Named")), ("no", _("Without a name"))]
    )

    def __init__(self, data: QueryDict, *, viewer: Viewer) -> None:
        super().__init__(data, label_suffix="")
        unit = self.fields["unit"]
        assert isinstance(unit, forms.ModelChoiceField)
        unit.queryset = Unit.objects.watchable_by(viewer)

    def narrow(self, profiles: ProfileQuerySet) -> ProfileQuerySet:
        """The profiles that fit; a filter that is no filter shows none."""
        if not self.is_valid():
            return profiles.none()
        wanted = self.cleaned_data
        profiles = searched(profiles, wanted["q"])
        if wanted["unit"]:
            profiles = profiles.filter(unit=wanted["unit"])
        if wanted["listing"]:
            profiles = profiles.filter(listing=wanted["listing"])
        if wanted["named"]:
            profiles = profiles.exclude(UNNAMED) if wanted["named"] == "yes" else profiles.filter(UNNAMED)
        return profiles


class ProfileForm(forms.ModelForm):
    """What people know about somebody."""

    class Meta:
        model = Profile
        fields = ["surname", "name", "middle_name", "sex", "birth_date", "listing", "notes"]
        widgets = {
            "birth_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "notes": forms.Textarea(attrs={"rows": 4}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def clean_birth_date(self) -> date | None:
        born: date | None = self.cleaned_data["birth_date"]
        if born and not can_be_born(born):
            raise forms.ValidationError(_("Nobody who is alive was born on that day."))
        return born


@dataclass(frozen=True, slots=True)
class Place:
    """A profile's place in the list, last seen first; a page begins behind one."""

    seen_at: datetime
    id: UUID

    @classmethod
    def of(cls, profile: Profile) -> Place:
        return cls(profile.seen_at, profile.pk)

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """None for what str() of a place never gives."""
        moment, _separator, profile_id = text.partition("~")
        try:
            seen_at = datetime.fromisoformat(moment)
            return cls(seen_at.astimezone(UTC), UUID(profile_id)) if timezone.is_aware(seen_at) else None
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.seen_at.isoformat().replace('+00:00', 'Z')}~{self.id}"

    def behind(self) -> Q:
        return Q(seen_at__lt=self.seen_at) | Q(seen_at=self.seen_at, id__lt=self.id)
