"""The JSON Schemas of the file formats, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from promotion.config.schema import EnvironmentsFile, EvaluationsFile, PolicyFile, QuarantineFile, WaiversFile

FORMATS: dict[str, type[BaseModel]] = {
    "environments": EnvironmentsFile,
    "policy": PolicyFile,
    "evaluations": EvaluationsFile,
    "waivers": WaiversFile,
    "quarantine": QuarantineFile,
}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one of ``FORMATS``; the rules of a policy know every gate's parameters.

    Raises KeyError for any other kind.
    """
    schema = FORMATS[kind].model_json_schema()
    if kind == "policy":
        _add_gates(schema)
    _close(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _close(part: Any) -> None:  # noqa: ANN401 - any part of a schema
    """Refuse keys that fit no pattern, in every part of a schema: without it they would be anything."""
    if isinstance(part, dict):
        if "patternProperties" in part:
            part.setdefault("additionalProperties", False)
        for inner in part.values():
            _close(inner)
    elif isinstance(part, list):
        for inner in part:
            _close(inner)


def _add_gates(schema: dict[str, Any]) -> None:
    """One alternative for each gate in place of a rule with any keys."""
    from promotion.gates import BUILT_IN, GATES

    definitions = schema["$defs"]
    common = definitions.pop("RuleEntry")
    alternatives = []
    for name, gate in sorted(GATES.items()):
        if name in BUILT_IN:
            continue
        own = gate.parameters.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(own.pop("$defs", {}))
        properties = {**common["properties"], "gate": {"const": name, "description": gate.summary}, **own.get("properties", {})}
        required = ["gate", *own.get("required", [])]
        shape = {"type": "object", "title": name, "additionalProperties": False}
        alternatives.append({**shape, "properties": properties, "required": required})
    definitions["RuleEntry"] = {"oneOf": alternatives}
