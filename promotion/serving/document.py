"""The API's OpenAPI document, made from the signature of the version that is served, with an example that it answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from promotion.serving.bodies import CSV, JSON, PARQUET

if TYPE_CHECKING:
    from promotion.serving.columns import Column
    from promotion.serving.forward import Served

_TYPES: Mapping[str, Mapping[str, Any]] = {
    "double": {"type": "number", "format": "double"},
    "float": {"type": "number", "format": "float"},
    "integer": {"type": "integer", "format": "int32", "minimum": -(1 << 31), "maximum": (1 << 31) - 1},
    "long": {"type": "integer", "format": "int64", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
}
_REFUSED = {"$ref": "#/components/schemas/Refused"}
_FAULT = {
    "type": "object",
    "required": ["problem"],
    "properties": {
        "problem": {"type": "string"},
        "row": {"type": "integer", "minimum": 0, "description": "Counts from 0."},
        "column": {"type": "string"},
    },
}


def document(served: Served | None, name: str, release: str, most: int, *, token: bool) -> dict[str, Any]:
    """OpenAPI 3.1 of what is served now; without a version, of everything but ``/predict``."""
    paths: dict[str, Any] = {
        "/health": {"get": _look("health", "What is served and what does not work; 200 as long as the server lives.")},
        "/ready": {"get": _look("ready", "Whether predictions are answered.", unready=True)},
        "/version": {"get": _look("version", "Model, version and digest.", unready=True, token=token)},
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Counts for Prometheus.",
                "responses": {
                    "200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}},
                    **_denied(token=token),
                },
            }
        },
    }
    schemas: dict[str, Any] = {
        "Refused": {
            "type": "object",
            "required": ["error", "faults", "count"],
            "properties": {"error": {"type": "string"}, "count": {"type": "integer"}, "faults": {"type": "array", "items": _FAULT}},
        }
    }
    if served is not None:
        paths["/predict"] = {"post": _predict(served, most, token=token)}
        schemas |= {"Row": _row(served), "Answer": _answer(served)}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": f"{served.ref.version}" if served else "none",
            "description": f"Predictions of the version that is in service. Served by promotion {release}.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in ("/predict", "/version", "/metrics"):
            for operation in paths.get(path, {}).values():
                operation["security"] = [{"token": []}]
    return found


def _predict(served: Served, most: int, *, token: bool) -> dict[str, Any]:
    names = list(served.columns.names)
    row = dict(served.sample)
    values = [row.get(one) for one in names]
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"enum": names}, "minItems": len(names)},
            "data": {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "array", "minItems": 1}},
        },
    }
    records = {"type": "array", "minItems": 1, "maxItems": most, "items": {"$ref": "#/components/schemas/Row"}}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [names, ["" if one is None else str(one).lower() if isinstance(one, bool) else one for one in values]]
    )
    return {
        "operationId": "predict",
        "summary": "One prediction for each row, in the order of the rows.",
        "description": "Rows of one request may share context where the model has a column for it; requests never see each other.",
        "parameters": [
            {
                "name": "details",
                "in": "query",
                "required": False,
                "description": "All outputs of the model, not the first one alone.",
                "schema": {"type": "boolean", "default": False},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"oneOf": [records, split]},
                    "examples": {
                        "records": {"summary": "a list of rows", "value": [row]},
                        "split": {"summary": "names once, then values", "value": {"columns": names, "data": [values]}},
                    },
                },
                CSV: {"schema": {"type": "string"}, "example": text.getvalue()},
                PARQUET: {"schema": {"type": "string", "contentMediaType": PARQUET}},
            },
        },
        "responses": {
            "200": {
                "description": "predictions, with the version that made them",
                "headers": {
                    "Model-Version": {"schema": {"type": "string"}, "description": "NAME/VERSION"},
                    "Model-Digest": {"schema": {"type": "string"}, "description": "sha256 of the artifact"},
                },
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Answer"}}},
            },
            **{
                code: {"description": words, "content": {JSON: {"schema": _REFUSED}}}
                for code, words in (
                    ("408", "the body did not arrive in time"),
                    ("415", "a type or an encoding of content that is not taken"),
                    ("422", "rows that do not fit: each fault with its row and column"),
                    ("503", "nothing is served now, or there is too much to do"),
                )
            },
            **_denied(token=token),
        },
    }


def _row(served: Served) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [one.name for one in served.columns.all if one.required],
        "properties": {one.name: _column(one) for one in served.columns.all},
        "additionalProperties": False,
        "example": dict(served.sample),
    }


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = dict(_TYPES[column.type])
    if column.words is not None:
        found = {"anyOf": [{"enum": list(column.words)}, {"type": "integer", "minimum": 0, "maximum": len(column.words) - 1}]}
    elif column.missing:
        found["type"] = [found["type"], "null"]
    return found


def _answer(served: Served) -> dict[str, Any]:
    values = {"type": "array", "items": {}}
    properties: dict[str, Any] = {
        "model": {"const": served.ref.name},
        "version": {"type": "integer"},
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        "output": {"type": "string", "description": "What predictions holds."},
        "predictions": {**values, "description": f"{served.outputs[0]}, one for each row."},
        "details": {"type": "object", "properties": dict.fromkeys(served.outputs, values)},
    }
    return {"type": "object", "required": [name for name in properties if name != "details"], "properties": properties}


def _look(name: str, summary: str, *, unready: bool = False, token: bool = False) -> dict[str, Any]:
    content = {JSON: {"schema": {"type": "object"}}}
    responses: dict[str, Any] = {"200": {"description": "yes", "content": content}, **_denied(token=token)}
    if unready:
        responses["503"] = {"description": "nothing is served now", "content": content}
    return {"operationId": name, "summary": summary, "responses": responses}


def _denied(*, token: bool) -> dict[str, Any]:
    return {"401": {"description": "the token is missing or another one", "content": {JSON: {"schema": _REFUSED}}}} if token else {}
