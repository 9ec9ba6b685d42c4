from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from omil import store

ROOT = Path(__file__).parents[2]
WELL = {store.NAME: "s3://films/site?endpoint=https://s3.example:9000", store.KEY: "key", store.SECRET: "hidden-one"}


def read(changes: dict[str, str]) -> store.Store | None:
    told = {**WELL, **changes}
    return store.parsed(told[store.NAME], told[store.KEY], told[store.SECRET].strip())


def test_unset_files_stay_here() -> None:
    assert read({store.NAME: ""}) is None
    backends = store.backends(None, videos=Path("/v"), profiles=Path("/p"))
    assert backends["videos"]["OPTIONS"] == {"location": Path("/v")}


def test_a_store_is_read_with_its_origin() -> None:
    found = read({})
    assert found == store.Store("films", "site", "https://s3.example:9000", "us-east-1", "key", "hidden-one")
    assert found.origin == "https://s3.example:9000"
    assert "hidden-one" not in repr(found)
    found = read({store.NAME: "s3://films?region=eu-west-1"})
    assert found
    assert found.origin == "https://s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({store.KEY: ""}, "OMIL_STORE_KEY is missing"),
        ({store.SECRET: " "}, "OMIL_STORE_SECRET is missing"),
        ({store.NAME: "https://films"}, "OMIL_STORE must be of the form"),
        ({store.NAME: "s3://films?endpoints=https://x"}, "OMIL_STORE must be of the form"),
        ({store.NAME: "s3://key:hidden-one@films"}, "OMIL_STORE holds a password"),
        ({store.NAME: "s3://"}, "OMIL_STORE: .* no name of a bucket"),
        ({store.NAME: "s3://films/../other"}, "OMIL_STORE: .* no prefix"),
        ({store.NAME: "s3://films?endpoint=ftp://x"}, "OMIL_STORE: its endpoint"),
        ({store.NAME: "s3://films?endpoint=https://x;script-src"}, "OMIL_STORE: its endpoint"),
    ],
)
def test_what_is_wrong_is_named_without_secrets(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named) as raised:
        read(changes)
    assert "hidden-one" not in str(raised.value)


@pytest.mark.parametrize("is_set", [True, False])
def test_the_policy_names_the_store_for_pictures_and_films_alone(tmp_path: Path, is_set: bool) -> None:
    code = (
        "from django.conf import settings as s; d = s.CONTENT_SECURITY_POLICY['DIRECTIVES']; "
        "print(*sorted(k for k, v in d.items() if any('s3.example' in str(each) for each in v)))"
    )
    env = {**os.environ, **(WELL if is_set else {}), "OMIL_DATA_DIR": str(tmp_path)}
    env["DJANGO_SETTINGS_MODULE"] = "omil.settings"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == (["img-src", "media-src"] if is_set else [])
