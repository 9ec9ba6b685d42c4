"""The filter of the list of clips, the place in that list where a page begins, and the form of an export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import F, Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Viewer
from cameras.models import Camera
from recordings.models import Recording, RecordingQuerySet

LENGTHS = {
    "under-30s": (None, 30),
    "30s-2m": (30, 120),
    "2m-10m": (120, 600),
    "over-10m": (600, None),
}
LONGEST_CLIP = timedelta(hours=2)  # So far before a time its clips are looked for.
MOST_EXPORT = timedelta(hours=24)
EARLIEST = date(2000, 1, 1)


class RecordingFilter(forms.Form):
    """Which clips are shown; every field may be empty. Days and times are those of the viewer's zone."""

    camera = forms.ModelChoiceField(
        Camera.objects.none(), label=_("Camera"), required=False, to_field_name="slug", empty_label=_("All cameras")
    )
    day = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    since = forms.TimeField(label=_("From"), required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    until = forms.TimeField(label=_("To"), required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    people = forms.ChoiceField(
        label=_("People at once"),
        required=False,
        choices=[
            ("", _("Any")),
            ("0", _("Nobody counted")),
            ("1", _("1 or more")),
            ("2", _("2 or more")),
            ("5", _("5 or more")),
        ],
    )
    length = forms.ChoiceField(
        label=_("Length"),
        required=False,
        choices=[
            ("", _("Any")),
            ("under-30s", _("Under 30 seconds")),
            ("30s-2m", _("30 seconds to 2 minutes")),
            ("2m-10m", _("2 to 10 minutes")),
            ("over-10m", _("Over 10 minutes")),
        ],
    )
    kept = forms.BooleanField(label=_("Only kept"), required=False)

    def __init__(self, data: QueryDict, *, viewer: Viewer) -> None:
        super().__init__(data, label_suffix="")
        camera = self.fields["camera"]
        assert isinstance(camera, forms.ModelChoiceField)
        camera.queryset = Camera.objects.watchable_by(viewer)

    def clean_day(self) -> date | None:
        asked: date | None = self.cleaned_data["day"]
        if asked and not EARLIEST <= asked <= timezone.localdate() + timedelta(days=1):
            raise forms.ValidationError(_("There are no recordings of that day."))
        return asked

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if (since or until) and not cleaned.get("day") and "day" not in self.errors:
            self.add_error("day", _("Choose the day of these times."))
        if since and until and until <= since:
            self.add_error("until", _("This time lies before the first one."))
        return cleaned

    def narrow(self, recordings: RecordingQuerySet) -> RecordingQuerySet:
        """The clips that fit; a filter that is no filter shows none, so that nobody trusts a list that ignores it."""
        if not self.is_valid():
            return recordings.none()
        wanted = self.cleaned_data
        if wanted["camera"]:
            recordings = recordings.filter(camera=wanted["camera"])
        if wanted["day"]:
            start, end = self.bounds(wanted["day"])
            recordings = recordings.during(start, end).filter(start__gte=start - LONGEST_CLIP)
        if wanted["people"] == "0":
            recordings = recordings.filter(max_people=0)
        elif wanted["people"]:
            recordings = recordings.filter(max_people__gte=int(wanted["people"]))
        if wanted["kept"]:
            recordings = recordings.filter(is_kept=True)
        least_s, most_s = LENGTHS.get(wanted["length"], (None, None))
        if least_s is not None:
            recordings = recordings.filter(end__gte=F("start") + timedelta(seconds=least_s))
        if most_s is not None:
            recordings = recordings.filter(end__lt=F("start") + timedelta(seconds=most_s))
        return recordings

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        wanted, zone = self.cleaned_data, timezone.get_current_timezone()
        start = datetime.combine(day, wanted["since"] or time.min, tzinfo=zone)
        if wanted["until"]:
            return start, datetime.combine(day, wanted["until"], tzinfo=zone)
        return start, datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Place:
    """A clip's place in the list, newest first; a page begins behind one, however many clips have come since."""

    start: datetime
    id: UUID

    @classmethod
    def of(cls, recording: Recording) -> Place:
        return cls(recording.start, recording.id)

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """None for what str() of a place never gives."""
        moment, _separator, recording_id = text.partition("~")
        try:
            start = datetime.fromisoformat(moment)
            return cls(start.astimezone(UTC), UUID(recording_id)) if timezone.is_aware(start) else None
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.start.isoformat().replace('+00:00', 'Z')}~{self.id}"

    def behind(self) -> Q:
        return Q(start__lt=self.start) | Q(start=self.start, id__lt=self.id)


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")
    formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
    return forms.DateTimeField(label=label, widget=widget, input_formats=formats)


class ExportForm(forms.Form):
    """A stretch of one camera's time, in the viewer's zone, of which a film is wanted."""

    camera = forms.ModelChoiceField(Camera.objects.none(), label=_("Camera"), to_field_name="slug", empty_label=None)
    start = _moment(_("From"))
    end = _moment(_("To"))

    def __init__(self, data: QueryDict | None = None, *, viewer: Viewer, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="", initial=initial)
        camera = self.fields["camera"]
        assert isinstance(camera, forms.ModelChoiceField)
        camera.queryset = Camera.objects.watchable_by(viewer)

    def clean_start(self) -> datetime:
        return self._possible("start")

    def clean_end(self) -> datetime:
        return self._possible("end")

    def _possible(self, name: str) -> datetime:
        asked: datetime = self.cleaned_data[name]
        if not EARLIEST <= asked.date() <= timezone.localdate() + timedelta(days=1):
            raise forms.ValidationError(_("There are no recordings of that day."))
        return asked

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and end <= start:
            self.add_error("end", _("This time lies before the first one."))
        elif start and end and end - start > MOST_EXPORT:
            self.add_error("end", _("At most 24 hours go into one film."))
        return cleaned
