"""Requests made from the API's own document, and requests that break it: what is allowed is answered, nothing ends in a 5xx."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.models import register_version
from tests.serving import Serving

EXAMPLES = 40


@pytest.fixture(scope="module")
def api(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("fuzz")
    version = register_version(mlflow_server, "fuzzed")
    with Serving(folder, f"fuzzed/{version}", "--max-rows", "50", url=mlflow_server, log=folder / "log") as made:
        yield made


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_ends_in_a_server_error(api: Serving, mode: GenerationMode) -> None:
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
            assert answer.status_code < 500, (case.body, answer.text)
            if answer.status_code == 200 and case.path == "/predict":
                assert {"model", "version", "digest", "predictions"} <= set(answer.json())

        ask()
    assert 422 in seen or 415 in seen if mode is GenerationMode.NEGATIVE else 200 in seen
