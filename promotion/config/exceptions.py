"""policies/waivers.yaml and policies/quarantine.yaml → exceptions to gates, and what people have barred; every problem at its place."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from promotion.config.document import Document, Items, Scalar, Table
from promotion.config.schema import QuarantineFile, WaiversFile
from promotion.config.values import parse_use
from promotion.config.wording import nearest, validated
from promotion.gates import GATES, UNWAIVABLE
from promotion.verdicts import Barred, Waiver

if TYPE_CHECKING:
    from promotion.config.rules import Read


def waivers(document: Document, root: Table, found: Read) -> list[Waiver]:
    """The exceptions of one file."""
    file = validated(document, WaiversFile, root)
    made = []
    for index, entry in enumerate(_tables(root, "waivers")):
        known = _check_gate(document, entry)
        _remember(document, entry, found)
        if file is None or not known:
            continue
        values = file.waivers[index]
        version, digest = parse_use(values.version) or (0, None)
        made.append(
            Waiver(
                gate=values.gate,
                model=values.model,
                version=version,
                digest=digest,
                environment=values.environment,
                owner=values.owner,
                reason=values.reason,
                expires=date.fromisoformat(values.expires),
                place=document.place(entry),
            )
        )
    return made


def quarantine(document: Document, root: Table) -> list[Barred]:
    """What one file bars. Its models need not be declared: what is barred may have been taken out already."""
    file = validated(document, QuarantineFile, root)
    if file is None:
        return []
    made = []
    for one, entry in zip(file.quarantine, _tables(root, "quarantine"), strict=True):
        digest = one.digest.removeprefix("sha256:") if one.digest else None
        made.append(Barred(one.model, one.version, digest, one.reason, one.by, document.place(entry)))
    return made


def _tables(root: Table, name: str) -> list[Table]:
    entries = root.get(name)
    return [entry for entry in entries.items if isinstance(entry, Table)] if isinstance(entries, Items) else []


def _check_gate(document: Document, entry: Table) -> bool:
    """Whether the gate that is named is one, and can be waived; else the problem is noted."""
    name = entry.get("gate")
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return False
    allowed = [one for one in GATES if one not in UNWAIVABLE]
    if name.text not in GATES:
        document.report(name, f"there is no gate {name.text!r}", "unknown-gate", nearest(name.text, allowed))
    elif name.text in UNWAIVABLE:
        hint = "delete this waiver: what that gate keeps out is unsafe or unknown, whoever answers for it"
        document.report(name, f"the gate {name.text!r} cannot be waived", "not-waivable", hint)
    return name.text in allowed


def _remember(document: Document, entry: Table, found: Read) -> None:
    """Note the model and the environment that are named, to be compared with what is declared."""
    model, environment = entry.get("model"), entry.get("environment")
    if isinstance(model, Scalar) and isinstance(model.value, str):
        found.models.append((document, model))
    if isinstance(environment, Scalar) and isinstance(environment.value, str):
        found.excused.append((document, environment))
