"""How long something lasted, for templates; static/js/lib/texts.js writes it the same way."""

from __future__ import annotations

import math

from django import template
from django.template.defaultfilters import floatformat
from django.utils.formats import number_format
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def duration(seconds: float) -> str:
    """0:42, 12:03 or 1:02:03."""
    whole = max(0, int(seconds or 0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


@register.filter
def film_length(seconds: float) -> str:
    """As duration, but of less than ten seconds also the tenths."""
    if not 0 < seconds < 10:
        return duration(seconds)
    tenths = math.floor(seconds * 10) / 10
    return _("%(seconds)s s") % {"seconds": number_format(tenths or seconds, 1 if tenths else 2)}


@register.filter
def rate(per_s: float) -> str:
    """Pictures a second: 30, also of 30.00003, or 29.97."""
    return floatformat(f"{per_s:.2f}", "-2")
