"""Ids and times as JSON has them, without objects in between; api/people asks for thousands.

SQLite keeps both as text: to make objects of them, and text of these again, takes longer than the query.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField
from django.db.models.sql.compiler import SQLCompiler


class IdText(Func):
    """A UUID as the database keeps it, for `hyphened`."""

    arity = 1
    template = "(%(expressions)s)::text"
    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


def hyphened(text: str) -> str:
    """The UUID; SQLite keeps it without its hyphens, and takes twice as long to put them in."""
    if len(text) == 36:
        return text
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class TimeText(Func):
    """A time in UTC, as RFC 3339 writes it."""

    arity = 1
    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="replace(%(expressions)s, ' ', 'T') || 'Z'", **context)
