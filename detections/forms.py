"""The filter of the list of visits, and the place in that list where a page begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Viewer
from cameras.models import Camera
from detections.models import Visit, VisitQuerySet

DURATIONS = {
    "under-10s": (None, timedelta(seconds=10)),
    "10s-1m": (timedelta(seconds=10), timedelta(minutes=1)),
    "1m-10m": (timedelta(minutes=1), timedelta(minutes=10)),
    "over-10m": (timedelta(minutes=10), None),
}
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)


class VisitFilter(forms.Form):
    """What of the visits is shown; every field may be empty. Dates are days of the viewer's zone."""

    camera = forms.ModelChoiceField(
        Camera.objects.none(), label=_("Camera"), required=False, to_field_name="slug", empty_label=_("All cameras")
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("Any")),
            ("present", _("Present")),
            ("out_of_sight", _("Out of sight")),
            ("left", _("Left")),
            ("camera_lost", _("Camera lost")),
        ],
    )
    start = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    duration = forms.ChoiceField(
        label=_("Duration"),
        required=False,
        choices=[
            ("", _("Any")),
            ("under-10s", _("Under 10 seconds")),
            ("10s-1m", _("10 seconds to 1 minute")),
            ("1m-10m", _("1 to 10 minutes")),
            ("over-10m", _("Over 10 minutes")),
        ],
    )
    unverified = forms.BooleanField(label=_("Only unverified"), required=False)

    def __init__(self, data: QueryDict, *, viewer: Viewer) -> None:
        super().__init__(data, label_suffix="")
        camera = self.fields["camera"]
        assert isinstance(camera, forms.ModelChoiceField)
        camera.queryset = Camera.objects.watchable_by(viewer)

    def clean_start(self) -> date | None:
        return self._day("start")

    def clean_end(self) -> date | None:
        return self._day("end")

    def _day(self, name: str) -> date | None:
        asked: date | None = self.cleaned_data[name]
        if asked and not EARLIEST <= asked <= LATEST:
            raise forms.ValidationError(_("There are no visits of that day."))
        return asked

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and end < start:
            self.add_error("end", _("This day lies before the first one."))
        return cleaned

    def narrow(self, visits: VisitQuerySet) -> VisitQuerySet:
        """The visits that fit; a filter that is no filter shows none, so that nobody trusts a list that ignores it."""
        if not self.is_valid():
            return visits.none()
        wanted = self.cleaned_data
        if wanted["camera"]:
            visits = visits.filter(camera=wanted["camera"])
        if wanted["state"] in Visit.EndReason:
            visits = visits.filter(state=Visit.State.ENDED, end_reason=wanted["state"])
        elif wanted["state"]:
            visits = visits.filter(state=wanted["state"])
        if wanted["start"]:
            visits = visits.since(start_of(wanted["start"]))
        if wanted["end"]:
            visits = visits.filter(first_seen__lt=start_of(wanted["end"] + timedelta(days=1)))
        if wanted["unverified"]:
            visits = visits.filter(is_verified=False)
        return visits.lasting(*DURATIONS[wanted["duration"]]) if wanted["duration"] else visits


def start_of(day: date) -> datetime:
    """The day's first instant in the viewer's zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


@dataclass(frozen=True, slots=True)
class Place:
    """A visit's place in the list, newest first; a page begins behind one, however many visits have come since."""

    first_seen: datetime
    id: UUID

    @classmethod
    def of(cls, visit: Visit) -> Place:
        return cls(visit.first_seen, visit.id)

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """None for what str() of a place never gives."""
        moment, _separator, visit_id = text.partition("~")
        try:
            first_seen = datetime.fromisoformat(moment)
            return cls(first_seen.astimezone(UTC), UUID(visit_id)) if timezone.is_aware(first_seen) else None
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.first_seen.isoformat().replace('+00:00', 'Z')}~{self.id}"

    def behind(self) -> Q:
        return Q(first_seen__lt=self.first_seen) | Q(first_seen=self.first_seen, id__lt=self.id)
