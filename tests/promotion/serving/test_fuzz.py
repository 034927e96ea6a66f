"""Requests made from the API's own document, and requests that break it: every answer is as the document says, none is a 5xx."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.models import register_version
from tests.serving import Serving

EXAMPLES = 40
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
)


@pytest.fixture(scope="module")
def api(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("fuzz")
    version = register_version(mlflow_server, "fuzzed")
    with Serving(folder, f"fuzzed/{version}", "--max-rows", "50", url=mlflow_server, log=folder / "log") as made:
        yield made


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_the_document_says(api: Serving, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    seen: set[int] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.path != "/predict":
            continue  # the others take nothing that could be wrong

        @settings(
            max_examples=EXAMPLES if operation.path == "/predict" else 2,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            answer = case.call(base_url=api.url)
            seen.add(answer.status_code)
            case.validate_response(answer, checks=list(CHECKS))

        ask()
    assert 422 in seen or 415 in seen if mode is GenerationMode.NEGATIVE else 200 in seen
