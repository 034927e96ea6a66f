"""The mixture behind the API: the answers of MLflow's pyfunc, rows of one request share context, and requests never do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from mlflow.pyfunc import load_model

from promotion.domain import ModelVersionRef
from promotion.serving.app import Api, Limits
from promotion.serving.columns import Table
from promotion.serving.following import Slot
from promotion.serving.forward import Served
from promotion.serving.loading import _loaded
from train.flows import Flows
from train.moe_outputs import OUTPUTS

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
ROWS = 24


@pytest.fixture(scope="module")
def served(exported: Path) -> Served:
    return _loaded(exported, ModelVersionRef("mixture", 1, "0" * 64), 1)


@pytest.fixture(scope="module")
def some(flows: Flows) -> Flows:
    """Rows of one stream."""
    return replace(flows.take(np.arange(ROWS)), stream=np.full(ROWS, 7))


@pytest.fixture
def api(served: Served) -> Iterator[Api]:
    slot = Slot("mixture", None)
    slot.served = served
    made = Api(slot, Limits(), 4, None, print)
    yield made
    made.close()


def ask(api: Api, bodies: list[list[dict[str, Any]]], query: str = "") -> list[Any]:
    """All at once."""

    async def all_of() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app()), base_url="http://api") as client:
            return list(await asyncio.gather(*(client.post(f"/predict{query}", json=body) for body in bodies)))

    answers = asyncio.run(all_of())
    assert {one.status_code for one in answers} == {200}, answers[0].text
    return [one.json() for one in answers]


def records(flows: Flows) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(flows.frame().to_json(orient="records", double_precision=15))
    return found


def test_the_way_past_pyfunc_gives_its_answers(served: Served, exported: Path, some: Flows) -> None:
    assert served.direct
    model = load_model(str(exported))
    for flows in (some, some.take(np.array([3]))):
        rows = flows.frame()[list(served.columns.names)].to_numpy().tolist()
        assert np.array_equal(served.predict(Table(rows)).values, np.asarray(model.predict(flows.frame()), dtype=np.float64))


def test_details_are_probability_and_weights_of_every_expert(api: Api, some: Flows) -> None:
    (told,) = ask(api, [records(some)], "?details=true")
    assert tuple(told["details"]) == OUTPUTS
    assert told["details"][told["output"]] == told["predictions"]
    weights = [told["details"][name] for name in OUTPUTS if name.startswith("router.")]
    np.testing.assert_allclose(np.sum(weights, axis=0), 1, atol=1e-5)


def test_rows_of_a_request_share_context_and_requests_at_once_with_the_same_stream_do_not(api: Api, served: Served, some: Flows) -> None:
    rows = records(some)
    together = served.predict(Table([[row[name] for name in served.columns.names] for row in rows])).values[:, 0]
    alone = np.array([served.predict(Table([[row[name] for name in served.columns.names]])).values[0, 0] for row in rows])
    assert np.abs(together - alone)[1:].max() > 1e-4, "with what came before it, a flow is another one"
    answers = ask(api, [[row] for row in rows] * 3 + [rows] * 3)
    np.testing.assert_allclose([one["predictions"][0] for one in answers[: 3 * ROWS]], np.tile(alone, 3), atol=1e-6)
    for one in answers[3 * ROWS :]:
        np.testing.assert_allclose(one["predictions"], together, atol=1e-6)
