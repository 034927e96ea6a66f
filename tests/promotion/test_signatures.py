"""Signatures are read as data, and those of what is in service only from the bytes that were applied."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from promotion.archives import Unreadable
from promotion.domain import AppliedModel, Bound
from promotion.gates import GATES
from promotion.gates.interface import Column, Signature, Unknown
from promotion.policies import Rule
from promotion.signatures import read
from tests.models import tiny_booster
from tests.promotion.gates.samples import NAME, binding, change
from tests.promotion.test_facts import Counting, collector, policies

HEAD = "flavors:\n  python_function:\n    data: model.json\n    loader_module: mlflow.xgboost\n"


def mlmodel(**parts: object) -> str:
    lines = [f"  {name}: {json.dumps(json.dumps(value))}" for name, value in parts.items()]
    return "\n".join([HEAD.rstrip(), "signature:", *lines, ""])


def test_what_mlflow_writes_is_read(tmp_path):
    """MLflow's own classes write it; this reads it without them."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    inputs = Schema([ColSpec(DataType.double, "duration"), ColSpec(DataType.long, "bytes", required=False)])
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
    written = ModelSignature(inputs, outputs).to_dict()
    (tmp_path / "MLmodel").write_text(mlmodel(**{name: json.loads(text) for name, text in written.items() if text}))

    tensor = 'tensor {"tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}'
    assert read(tmp_path) == Signature((Column("duration", "double"), Column("bytes", "long", required=False)), (Column(None, tensor),))


def test_a_model_may_say_nothing(tmp_path):
    (tmp_path / "MLmodel").write_text(HEAD)
    assert read(tmp_path) == Signature(None, None)


@pytest.mark.parametrize(
    "text",
    [
        "signature: yes please",
        "signature: {inputs: 'no json'}",
        "signature: {inputs: '{}'}",
        "signature: {inputs: [1]}",
        "signature: {inputs: '[1]'}",
        """signature: {inputs: '[{"name": "a"}]'}""",
        """signature: {inputs: '[{"name": 1, "type": "long"}]'}""",
        """signature: {inputs: '[{"name": "a", "type": "long"}, {"name": "a", "type": "double"}]'}""",
        "signature: {inputs: '" + "[" * 100_000 + "'}",
        "signature: &a {inputs: *a}",
    ],
)
def test_what_is_no_signature_is_unreadable(tmp_path, text):
    (tmp_path / "MLmodel").write_text(f"{HEAD}{text}\n")
    with pytest.raises(Unreadable):
        read(tmp_path)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text(HEAD)
    (tmp_path / "MLmodel").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreadable):
        read(tmp_path)


@pytest.fixture
def registry():
    made = Counting()
    for name in ("duration", "bytes"):
        text = mlmodel(inputs=[{"name": name, "type": "double"}], outputs=[{"type": "float"}])
        made.add_version(NAME, {"MLmodel": text.encode(), "model.json": bytes(tiny_booster(0).save_raw("json"))})
    return made


RULE = Rule("signature", "production", ("*",), GATES["signature"].parameters(), enforce=True, place=change().place)


def facts(registry, tmp_path, *, digest=None, rules=(RULE,), version=1):
    known = digest or registry.artifact(NAME, 1).digest
    memory = AppliedModel(NAME, {"production": binding(Bound(version, known))}, {})
    sets = (replace(policies(), rules=rules, evaluations=()),)
    return collector(registry, tmp_path, policies=sets, applied={NAME: memory}).collect(change(after=2))


def test_the_columns_in_service_are_read_where_a_rule_asks(registry, tmp_path):
    found = facts(registry, tmp_path)
    output = (Column(None, "float"),)
    assert found.signature == Signature((Column("bytes", "double"),), output)
    assert found.signatures == {"production": Signature((Column("duration", "double"),), output)}
    assert facts(registry, tmp_path, rules=()).signatures == {}


@pytest.mark.parametrize(("given", "words"), [({"digest": "0" * 64}, "other bytes"), ({"version": 9}, "not there any more")])
def test_bytes_that_were_not_applied_tell_nothing(registry, tmp_path, given, words):
    found = facts(registry, tmp_path, **given).signatures["production"]
    assert isinstance(found, Unknown)
    assert words in found.reason
