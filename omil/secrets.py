"""Secrets that this installation makes for itself once and keeps, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def kept(path: Path, *, length: int = 50) -> str:
    """The secret in this file; made first where there is none. Safe when several processes start at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(secrets.token_urlsafe(length), encoding="utf-8")
    fresh.chmod(0o600)
    try:
        os.link(fresh, path)  # Fails where another process was first, whose secret then counts.
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text(encoding="utf-8").strip()
