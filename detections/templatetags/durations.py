"""How long something lasted, for templates; static/js/lib/texts.js writes it the same way."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def duration(seconds: float) -> str:
    """0:42, 12:03 or 1:02:03."""
    whole = max(0, int(seconds or 0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
