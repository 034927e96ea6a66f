"""policies/waivers.yaml and policies/quarantine.yaml → exceptions to gates, and what people have barred; every problem at its place."""

from __future__ import annotations

from datetime import date

from promotion.config.document import Document, Items, Scalar, Table
from promotion.config.schema import QuarantineFile, WaiversFile
from promotion.config.values import parse_use
from promotion.config.wording import nearest, validated
from promotion.gates import GATES, UNWAIVABLE
from promotion.verdicts import Barred, Waiver

Named = list[tuple[Document, Scalar]]
"""What files name, where they name it: to be compared with what is declared."""


def waivers(document: Document, root: Table, models: Named, environments: Named) -> list[Waiver]:
    """The exceptions of one file; the models and the environments that it names are added to the lists."""
    file = validated(document, WaiversFile, root)
    made = []
    for index, entry in enumerate(_tables(root, "waivers")):
        known = _check_gate(document, entry)
        for key, named in (("model", models), ("environment", environments)):
            name = entry.get(key)
            if isinstance(name, Scalar) and isinstance(name.value, str):
                named.append((document, name))
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
