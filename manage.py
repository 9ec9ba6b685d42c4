#!/usr/bin/env python
"""Django's entry point for every command; `manage.py start` is the whole product."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.umask(0o077)  # Footage, faces, sessions: what Omil writes is no other user's of this machine.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omil.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    try:
        _ = settings.DATA_DIR  # A wrong setting is one line, not a traceback.
    except ImproperlyConfigured as error:
        sys.exit(f"Omil cannot start: {error}")
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        if not any(words in str(error) for words in ("no such table", "does not exist")):
            raise
        sys.exit(f"The database of {settings.DATA_DIR} has no tables yet: run make run first, or set OMIL_DATA_DIR.")
