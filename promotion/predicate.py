"""The JSON Schema of a statement of evidence: an in-toto Statement v1 whose predicate is ``urn:promotion:evaluation:v1``.

The version stands in the predicate's type: members are only ever added to a new version, but for those that may be absent, and a
reader refuses members that it does not know. What a schema cannot say, ``evidence.read`` checks as well: canonical form, counts that
add up, figures that follow from them.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from promotion.evidence import PREDICATE, STATEMENT
from promotion.figures import Counts

_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "sha256 in hex"}
_TIME = {"type": "string", "format": "date-time", "description": "UTC, with microseconds"}


def json_schema() -> dict[str, Any]:
    """The schema, as plain JSON values."""
    counts = TypeAdapter(Counts).json_schema(by_alias=True, ref_template="#/$defs/{model}")
    defs = counts.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PREDICATE,
        "title": "Evidence: what was measured of one artifact, on which rows, by which evaluator",
        "$defs": {**defs, "Counts": counts},
        **_closed(
            {
                "_type": {"const": STATEMENT},
                "predicateType": {"const": PREDICATE},
                "subject": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": _closed({"name": _text("NAME/VERSION, as it was when it was measured"), "digest": _sha256("the artifact")}),
                },
                "predicate": _closed(_PREDICATE, optional=_OPTIONAL),
            }
        ),
    }


def _closed(properties: dict[str, Any], *, optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """An object with exactly these members, of which some may be absent."""
    required = sorted(set(properties) - optional)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _text(what: str) -> dict[str, Any]:
    return {"type": "string", "description": what}


def _sha256(what: str) -> dict[str, Any]:
    return {**_closed({"sha256": _DIGEST}), "description": f"digest of {what}"}


def _texts(what: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": what}


_PREDICATE: dict[str, Any] = {
    "evaluation": _text("the evaluation's name in the policies"),
    "dataset": _closed(
        {
            "path": _text("relative to the repository"),
            "digest": _sha256("the rows' file"),
            "rows": {"type": "integer", "minimum": 0},
        }
    ),
    "evaluator": _closed(
        {
            "entryPoint": _text("package.module:function"),
            "digest": _sha256("its source files, by path and content"),
            "lock": _closed({"digest": _sha256("the file that pins its libraries")}),
        },
        optional=frozenset({"lock"}),
    ),
    "settings": {"type": "object", "description": "what the policy told the evaluator"},
    "counts": {"$ref": "#/$defs/Counts"},
    "figures": {
        "type": "object",
        "additionalProperties": {"type": ["number", "null"]},
        "description": "what follows from the counts; null where it is undefined (0/0)",
    },
    "isolation": _text("how the measured code was kept from the machine and the network"),
    "versions": _texts("of Python and of the libraries that were loaded"),
    "hardware": _texts("machine, model of the processor, system, number of processors; threads, where several were measured at once"),
    "startedOn": _TIME,
    "finishedOn": _TIME,
    "by": _text("who ran it"),
    "seeds": {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "description": "of the resamples, of Python's hashes; an evaluator's own are settings",
    },
    "replicates": _closed({"digest": _sha256("the packed counts of each resample, a file beside the statement")}),
}
_OPTIONAL = frozenset({"replicates", "seeds"})
"""Evidence that was counted without looking at each row has no resamples, and no intervals; older statements tell no seeds."""
