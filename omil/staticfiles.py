"""Static files whose names carry their hash, also where one JavaScript module names another; settings.STORAGES names it."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedModulesStorage(CompressedManifestStaticFilesStorage):
    """Rewrites `import … from "./x.js";` and `new URL("./x.js", import.meta.url)` so that no browser mixes two versions.

    An import is only seen with its closing semicolon; tests/omil/test_staticfiles.py finds one without.
    """

    support_js_module_import_aggregation = True
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "*.js",
            (
                (
                    r"""(?P<matched>new\s+URL\(\s*['"](?P<url>\.{1,2}/[^'"]+)['"]\s*,\s*import\.meta\.url\s*\))""",
                    """new URL("%(url)s", import.meta.url)""",
                ),
            ),
        ),
    )
