"""Models of every name that MLflow allows are found, and only they."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.registry.filters import by_name

ODD = [
    "it's",
    'say "hi"',
    "back\\slash",
    "semi;colon",
    "dash--dash",
    "with space",
    "ünïcode",
    "日本語",
    "50%",
    "(round)",
    "a,b",
    "IN",
    "`tick`",
    "un_der",
    "unXder",
    "two''quotes",
    "tab\tin",
    "#hash",
    "a?b=c&d",
    "x" * 250,
    "OR 1=1",
    "' OR name LIKE '%",
]


@pytest.fixture(scope="module")
def odd_models(mlflow_server):
    """All of them on the session's server, each with one version that says whose it is."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    run = client.create_run("0")
    for name in ODD:
        client.create_registered_model(name)
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, description=name, await_creation_for=0)


@pytest.mark.parametrize("name", ODD)
def test_a_model_of_an_odd_name(odd_models, rest_backend, name):
    model = rest_backend.registry.model(name)
    assert [version.description for version in model.versions.values()] == [name]


def test_all_odd_names_at_once(odd_models, rest_backend):
    models = rest_backend.registry.observe(ODD).models
    assert {name: [version.description for version in model.versions.values()] for name, model in models.items()} == {
        name: [name] for name in ODD
    }


@given(st.lists(st.text("abc'\"\\%_x é\n", min_size=1, max_size=8), unique=True))
def test_conditions_hold_no_quote_of_a_name(names):
    for condition in by_name(names):
        assert condition.count("'") % 2 == 0
        inside = condition.split("'")[1::2]
        assert all("\\" not in text and "\n" not in text for text in inside)


def test_conditions_are_short_enough_for_a_url():
    names = [f"{'ä' * 100}-{number}" for number in range(100)]
    conditions = list(by_name(names))
    assert len(conditions) > 1
    assert all(len(condition.encode()) * 3 < 8000 for condition in conditions)
    assert sorted(name for condition in conditions for name in condition.split("'")[1::2]) == sorted(names)
