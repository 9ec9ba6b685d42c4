"""Static files whose names carry their hash, also where one JavaScript module names another; see settings.STORAGES."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedModulesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites the relative names in import, export … from, import() and new URL(…, import.meta.url).

    No browser then mixes the modules of two versions. Django's own patterns for imports are not used: they take an
    import without names for the beginning of the next statement, hash a name twice, and stumble over names that are
    no path.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "*.js",
            (
                (
                    r"""(?P<matched>(?P<before>\bfrom\s*|\bimport\s*\(?\s*)["'](?P<url>\.{1,2}/[^"'\n]+\.m?js)["'])""",
                    """%(before)s"%(url)s\"""",
                ),
                (
                    r"""(?P<matched>\bnew\s+URL\(\s*["'](?P<url>\.{1,2}/[^"'\n]+\.m?js)["']\s*,\s*import\.meta\.url\s*\))""",
                    """new URL("%(url)s", import.meta.url)""",
                ),
            ),
        ),
    )
