"""Pages of a list that hold their place however many rows come before it: a cursor names the row they go on behind."""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from ninja import Query, Schema
from pydantic import BeforeValidator, Field, WithJsonSchema

from api.problems import fault

MOST = 200
T = TypeVar("T", bound=Model)
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # Room to reckon in.
RFC3339 = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"


def moment(text: object) -> datetime:
    """A time as RFC 3339 writes it, in UTC; beyond those that can be meant the nearest of them."""
    if not isinstance(text, str):
        raise ValueError("a time as RFC 3339 writes it is expected")
    if not re.fullmatch(RFC3339, text, re.ASCII):
        raise ValueError("a time as RFC 3339 writes it is expected, with its zone: 2026-03-04T05:06:07Z")
    leaps = text[17:19] == "60"
    found = datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper() if leaps else text.upper())
    return min(max(found, EARLIEST), LATEST).astimezone(UTC) + timedelta(seconds=leaps)


Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Slug = Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+$", min_length=1, max_length=60)]


class Turn(Schema):
    """Which page of a list is asked for."""

    limit: int = Field(50, ge=1, le=MOST, description="Rows per page.")
    cursor: str = Field("", max_length=300, description="The `next` of the page before.")


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """A list's order: by a time and then by id, newest first; by seconds and by id; or by id alone, oldest first."""

    name: str
    moment: str = ""
    second: str = ""

    def page(self, rows: QuerySet[T], turn: Turn) -> tuple[list[T], str | None]:
        """The rows of the page, in one query, and the cursor of the next one."""
        if turn.cursor:
            rows = rows.filter(self._behind(turn.cursor))
        order = (f"-{self.moment}", "-pk") if self.moment else (self.second, "pk") if self.second else ("pk",)
        found = list(rows.order_by(*order)[: turn.limit + 1])
        page = found[: turn.limit]
        return page, self._cursor(page[-1]) if len(found) > turn.limit else None

    def _cursor(self, row: T) -> str:
        at = getattr(row, self.moment).isoformat() if self.moment else repr(getattr(row, self.second, ""))
        return base64.urlsafe_b64encode(f"{self.name}~{at}~{row.pk}".encode()).decode().rstrip("=")

    def _behind(self, cursor: str) -> Q:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
            name, at, pk = raw.split("~")
            if name != self.name:
                raise ValueError(name)
            key = self._key(pk)
            if not (self.moment or self.second):
                return Q(pk__gt=key)
            since = moment(at) if self.moment else _seconds(at)
        except (ValueError, binascii.Error):
            raise fault("query.cursor", "this is not the `next` of a page of this list") from None
        if self.second:
            return Q(**{f"{self.second}__gt": since}) | Q(**{self.second: since, "pk__gt": key})
        return Q(**{f"{self.moment}__lt": since}) | Q(**{self.moment: since, "pk__lt": key})

    def _key(self, text: str) -> Any:
        if self.moment or self.second:
            return UUID(text)
        number = int(text)
        if not 0 < number < 2**63:
            raise ValueError(text)
        return number


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


TurnQuery = Query[Turn]
