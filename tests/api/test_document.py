"""The OpenAPI document and the real ASGI application agree: no data, right or wrong, finds a 5xx or an answer that is
not in the document."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from ninja.responses import Response
from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig

from accounts.models import User
from api.site import api
from cameras import tokens
from cameras.models import Camera, Token
from omil.asgi import application
from tests.api.conftest import make_clip, make_film, make_visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.fuzz]
EXAMPLES = 10
FORMS = {"slug": re.compile(r"[-a-zA-Z0-9_]{1,60}"), "id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")}
REAL = {"slug": "gate-x", "id": str(UUID(int=7))}
# Not every text is a cursor or an address, and not every range is short: a schema cannot say so.
RULED = (
    *("listCameras", "listVisits", "listRecordings", "getState", "createCamera", "changeCamera", "getCoverage"),
    *("listVideos", "createVideo", "listVideoPeople", "listVideoProfiles", "getVideoFrames"),
    *("listProfiles", "changeProfile", "listAppearances", "listProfileVideos"),
)
TAKEN = {
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "413", "422", "429", "507"]}
}
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"with-security-parameters": False},  # The token below is sent instead.
        "operations": [
            {
                "include-operation-id": name,
                "checks": TAKEN,
            }
            for name in RULED
        ],
    }
)

schema = schemathesis.openapi.from_dict(json.loads(Response(api.get_openapi_schema()).content), config=CONFIG)
schema.app = application


@schema.hook
def map_path_parameters(_context: HookContext, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Half of what could be there is."""
    return {
        name: REAL[name] if FORMS[name].fullmatch(str(value)) and sum(map(ord, str(value))) % 2 else value
        for name, value in (path_parameters or {}).items()
    }


@pytest.fixture
def headers(root: User, camera_x: Camera, camera_y: Camera, valkey: str) -> dict[str, str]:
    """Of somebody who may do everything; and there is something of everything to do it to."""
    for number in range(3):
        for make in (make_visit, make_clip):
            make(camera_x, number, **({} if number else {"id": REAL["id"]}))
    make_film(camera_x.unit, UUID(REAL["id"]))
    _token, secret = tokens.issue(root, "a fuzzer", Token.Scope.MANAGE)
    return {"Authorization": f"Bearer {secret}"}


@schema.exclude(operation_id="streamEvents").parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: Case[Any], headers: dict[str, str]) -> None:
    case.call_and_validate(headers=headers)
