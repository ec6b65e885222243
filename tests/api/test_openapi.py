"""The OpenAPI document, taken at its word: whatever fits it or not, the answer is 2xx or 4xx."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from studio.tasks import TASKS
from tests.api.conftest import Server, serve
from tests.hosts import settings_for, write_cards

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

CARD = f"""---
license: mit
studio:
  title: All
  family: none
  tasks: [{", ".join(TASKS)}]
  source: {{path: starter/pictures}}
  memory: {{weights: 1, working: 1}}
---
"""

PLAN = settings(
    max_examples=8, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much]
)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes any number of orders and never gets around to them."""
    home = tmp_path_factory.mktemp("openapi") / "home"
    # A task without a model is unavailable, which is no fault of the document's.
    write_cards(home)
    (home / "model_cards" / "all.md").write_text(CARD)
    yield from serve(settings_for(home), seconds=60)


# Its strategies draw from `random` themselves.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
def test_the_document_is_kept(slow: Server) -> None:
    document = schemathesis.openapi.from_url(f"{slow.url}/api/v1/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @PLAN
        @given(case=operation.as_strategy(GenerationMode.POSITIVE))
        def fits(case: schemathesis.Case) -> None:
            check(case)

        @PLAN
        @given(case=operation.as_strategy(GenerationMode.NEGATIVE))
        def fits_not(case: schemathesis.Case) -> None:
            check(case)

        fits()
        # Where there is nothing to get wrong, nothing can be made that does not fit.
        with contextlib.suppress(Unsatisfiable):
            fits_not()


def check(case: schemathesis.Case) -> None:
    response = case.call(timeout=10)
    case.validate_response(response, checks=CHECKS)
    assert 200 <= response.status_code < 500
