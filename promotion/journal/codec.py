"""The journal's documents: values to bytes and back, strictly.

Files named ``.yaml`` hold YAML in the form that is JSON as well: any YAML reader opens them, and ours is JSON's, which is strict,
knows no aliases, and is some 36 times as fast (12 µs against 420 µs for a model's file).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from promotion.changes import ChangeKind
from promotion.domain import AppliedBinding, AppliedModel, Bound, Passed, VersionIdentity
from promotion.journal.fields import COMMIT, DIGEST, Fields, Malformed, canonical, document, moment
from promotion.journal.model import Entry, EntryKind, Hold, RecordedChange, RecordedVerdict, Refusal
from promotion.verdicts import Status

T = TypeVar("T")
ENTRY = "promotion/journal-entry/v1"
APPLIED = "promotion/applied/v1"
HOLDS = "promotion/holds/v1"
_LONGEST = 200


def file_name(model: str) -> str:
    """The file of a model: its name with all but letters, digits and ``_.-~`` as ``%XX``; a very long one is cut and hashed."""
    name = quote(model, safe="")
    if len(name) > _LONGEST:
        name = f"{name[:140]}~{hashlib.sha256(model.encode()).hexdigest()}"
    return f"{name}.yaml"


def evidence_folder(key: str) -> str:
    """Where the statements with this key lie: one ``ls-tree``.

    Two levels, for each entry writes anew every folder on its way: one folder of 10,000 keys is a megabyte each time.
    """
    return f"evidence/{key[:2]}/{key}"


def encode_entry(entry: Entry, root: str | None) -> bytes:
    """``entry.json``. ``root`` is the journal's first commit, None in that one itself."""
    return canonical(
        {
            "schema": ENTRY,
            "root": root,
            "kind": entry.kind,
            "id": entry.id,
            "commit": entry.commit,
            "author": entry.author,
            "subject": entry.subject,
            "at": moment(entry.at),
            "by": entry.by,
            "tool": entry.tool,
            "registry": entry.registry,
            "plan": entry.plan,
            "policies": entry.policies,
            "changes": [_change(one) for one in entry.changes],
            "refusals": [_refusal(one) for one in entry.refusals],
            "lease_until": moment(entry.lease_until) if entry.lease_until else None,
            "takes_over": entry.takes_over,
            "recorded": entry.recorded,
            "writes": list(entry.writes),
        }
    )


def decode_entry(content: bytes) -> tuple[Entry, str | None]:
    """The entry, and the journal's first commit as it says; raises Malformed with the field."""
    fields = _opened(content, ENTRY)
    root = fields.optional("root", partial(fields.text, form=COMMIT))
    entry = Entry(
        kind=fields.kind("kind", EntryKind),
        id=fields.text("id"),
        commit=fields.text("commit", COMMIT),
        author=fields.text("author"),
        subject=fields.text("subject"),
        at=fields.time("at"),
        by=fields.text("by"),
        tool=fields.text("tool"),
        registry=fields.text("registry"),
        plan=fields.optional("plan", fields.text),
        policies=fields.optional("policies", fields.text),
        changes=fields.each("changes", _read_change),
        refusals=fields.each("refusals", _read_refusal),
        lease_until=fields.optional("lease_until", fields.time),
        takes_over=fields.optional("takes_over", fields.text),
        recorded=fields.optional("recorded", partial(fields.text, form=COMMIT)),
        writes=fields.texts("writes") if "writes" in fields.names() else (),
    )
    fields.done()
    if (entry.lease_until is not None) != (entry.kind is EntryKind.INTENT):
        fields.fail("lease_until", "must stand in an intent, and there alone")
    return entry, root


def encode_applied(model: AppliedModel) -> bytes:
    """``applied/<model>.yaml``."""
    bindings = {environment: _binding(binding) for environment, binding in model.bindings.items()}
    passed = {environment: {digest: _passed(one) for digest, one in proofs.items()} for environment, proofs in model.passed.items()}
    return canonical({"schema": APPLIED, "model": model.name, "bindings": bindings, "passed": passed})


def decode_applied(content: bytes, path: str) -> AppliedModel:
    """The memory of one model; raises Malformed with the field, also when the file is another model's."""
    fields = _opened(content, APPLIED)
    name = _owner(fields, path)
    bindings = fields.named("bindings", _read_binding)
    passed = fields.nested("passed", _read_proofs)
    fields.done()
    return AppliedModel(name, bindings, passed)


def encode_holds(model: str, holds: tuple[Hold, ...]) -> bytes:
    """``holds/<model>.yaml``: every hold on one model. Raises ValueError for a hold on another."""
    if any(hold.model != model for hold in holds):
        msg = f"a hold of another model than {model!r}"
        raise ValueError(msg)
    ordered = sorted(holds, key=lambda hold: (hold.environment, hold.digest))
    return canonical({"schema": HOLDS, "model": model, "holds": [_hold(one) for one in ordered]})


def decode_holds(content: bytes, path: str) -> tuple[Hold, ...]:
    """Every hold on one model; raises Malformed with the field."""
    fields = _opened(content, HOLDS)
    name = _owner(fields, path)
    holds = fields.each("holds", partial(_read_hold, name))
    fields.done()
    return holds


def _opened(content: bytes, schema: str) -> Fields:
    fields = Fields(document(content))
    if (found := fields.text("schema")) != schema:
        fields.fail("schema", f"is {found!r:.60}, but this version of promotion reads {schema}")
    return fields


def _owner(fields: Fields, path: str) -> str:
    name = fields.text("model")
    if path.rpartition("/")[2] != file_name(name):
        fields.fail("model", f"is {name!r:.60}, whose file is {file_name(name)}")
    return name


def _bound(bound: Bound | None) -> Mapping[str, object] | None:
    return None if bound is None else {"version": bound.version, "digest": bound.digest}


def _read_bound(fields: Fields) -> Bound:
    return Bound(fields.number("version"), fields.text("digest", DIGEST))


def _maybe(fields: Fields, name: str, read: Callable[[Fields], T]) -> T | None:
    return fields.optional(name, partial(fields.nested, read=read))


def _change(change: RecordedChange) -> Mapping[str, object]:
    return {
        "kind": change.kind,
        "model": change.model,
        "environment": change.environment,
        "before": _bound(change.before),
        "after": _bound(change.after),
        "evidence": list(change.evidence),
        "status": change.status,
        "verdicts": [_verdict(one) for one in change.verdicts],
    }


def _read_change(fields: Fields) -> RecordedChange:
    return RecordedChange(
        fields.kind("kind", ChangeKind),
        fields.text("model"),
        fields.text("environment"),
        _maybe(fields, "before", _read_bound),
        _maybe(fields, "after", _read_bound),
        fields.texts("evidence", DIGEST),
        fields.kind("status", Status),
        fields.each("verdicts", _read_verdict) if "verdicts" in fields.names() else (),
    )


def _verdict(verdict: RecordedVerdict) -> Mapping[str, object]:
    return {
        "gate": verdict.gate,
        "status": verdict.status,
        "expected": verdict.expected,
        "got": verdict.got,
        "rule": verdict.rule,
        "waiver": verdict.waiver,
    }


def _read_verdict(fields: Fields) -> RecordedVerdict:
    return RecordedVerdict(
        fields.text("gate"),
        fields.kind("status", Status),
        fields.text("expected"),
        fields.text("got"),
        fields.optional("rule", fields.text),
        fields.optional("waiver", fields.text),
    )


def _refusal(refusal: Refusal) -> Mapping[str, object]:
    return {
        "model": refusal.model,
        "environment": refusal.environment,
        "version": refusal.version,
        "reasons": list(refusal.reasons),
    }


def _read_refusal(fields: Fields) -> Refusal:
    version = fields.optional("version", fields.number)
    return Refusal(fields.text("model"), fields.text("environment"), version, fields.texts("reasons"))


def _identity(identity: VersionIdentity | None) -> Mapping[str, object] | None:
    if identity is None:
        return None
    return {"created": identity.created, "source": identity.source, "run_id": identity.run_id}


def _read_identity(fields: Fields) -> VersionIdentity:
    return VersionIdentity(fields.number("created"), fields.text("source"), fields.optional("run_id", fields.text))


def _binding(binding: AppliedBinding) -> Mapping[str, object]:
    return {
        "bound": _bound(binding.bound),
        "previous": _bound(binding.previous),
        "identity": _identity(binding.identity),
        "evidence": list(binding.evidence),
        "commit": binding.commit,
        "at": moment(binding.at),
        "by": binding.by,
        "adopted": binding.adopted,
        "unverified": binding.unverified,
        "tags": None if binding.tags is None else dict(binding.tags),
    }


def _read_binding(fields: Fields) -> AppliedBinding:
    return AppliedBinding(
        bound=_maybe(fields, "bound", _read_bound),
        previous=_maybe(fields, "previous", _read_bound),
        identity=_maybe(fields, "identity", _read_identity),
        evidence=fields.texts("evidence", DIGEST),
        commit=fields.text("commit", COMMIT),
        at=fields.time("at"),
        by=fields.text("by"),
        adopted=fields.flag("adopted"),
        unverified=fields.flag("unverified"),
        tags=_maybe(fields, "tags", _read_tags) if "tags" in fields.names() else None,
    )


def _read_tags(fields: Fields) -> Mapping[str, str]:
    return {name: fields.text(name) for name in fields.names()}


def _passed(passed: Passed) -> Mapping[str, object]:
    return {"version": passed.version, "at": moment(passed.at), "commit": passed.commit, "evidence": list(passed.evidence)}


def _read_passed(fields: Fields) -> Passed:
    return Passed(fields.number("version"), fields.time("at"), fields.text("commit", COMMIT), fields.texts("evidence", DIGEST))


def _read_proofs(fields: Fields) -> Mapping[str, Mapping[str, Passed]]:
    return {name: fields.named(name, _read_passed, DIGEST) for name in fields.names()}


def _hold(hold: Hold) -> Mapping[str, object]:
    return {
        "environment": hold.environment,
        "version": hold.version,
        "digest": hold.digest,
        "reason": hold.reason,
        "at": moment(hold.at),
        "by": hold.by,
    }


def _read_hold(model: str, fields: Fields) -> Hold:
    return Hold(
        model,
        fields.text("environment"),
        fields.number("version"),
        fields.text("digest", DIGEST),
        fields.text("reason"),
        fields.time("at"),
        fields.text("by"),
    )


__all__ = ["Malformed", "decode_applied", "decode_entry", "decode_holds", "encode_applied", "encode_entry", "encode_holds", "file_name"]
