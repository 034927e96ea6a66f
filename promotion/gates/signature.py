"""signature: the columns that a model takes and gives agree with those of the version in service, or the change is declared.

Compared with what was applied last in the environment that is entered, or in the one that ``against`` names; the first version of
all is only asked for a signature. Named columns agree by name and type, and in their order only with ``order: true``; columns without
names agree one by one. A new input that callers may leave out is no change. Both signatures are read from ``MLmodel`` as data; nothing
is loaded, and the bytes of the version in service must be those that were applied. Names in ``allow_…`` may be patterns.

Sample (policies/production.yaml):
    rules:
      - gate: signature
        allow_added: [flow_iat_*]

Passes: the same columns as in production, and one more whose name begins with flow_iat_.
Fails: a column is missing, is called otherwise, or was double and is long now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from promotion.gates import interface
from promotion.gates.interface import Column, Facts, Ruling, Unknown
from promotion.policies import matches
from promotion.verdicts import Status

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
_SHOWN = 8


class Parameters(interface.Parameters):
    """What may differ, by patterns for names of columns; ``outputs`` false compares inputs alone."""

    against: Annotated[str, Field(min_length=1)] | None = None
    allow_added: Names = ()
    allow_removed: Names = ()
    allow_changed: Names = ()
    order: bool = False
    outputs: bool = True


class SignatureGate:
    """Holds a model to the columns that its callers know."""

    name: ClassVar[str] = "signature"
    summary: ClassVar[str] = "columns and types agree with the version in service, or the change is declared"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when a signature cannot be read, FAILED with every difference that nobody declared."""
        where = rule.against or facts.change.environment
        expected = f"the columns of the version in {where}"
        mine = facts.signature
        if isinstance(mine, Unknown):
            return Ruling(Status.ERRORED, expected, mine.reason, mine.hint)
        if mine.inputs is None or (rule.outputs and mine.outputs is None):
            missing = "inputs" if mine.inputs is None else "outputs"
            return Ruling(Status.FAILED, expected, f"no signature of {missing} in MLmodel", "log the model with a signature")
        if where not in facts.signatures:
            return Ruling(Status.PASSED, expected, f"nothing is applied in {where} to agree with; {len(mine.inputs)} inputs")
        theirs = facts.signatures[where]
        if isinstance(theirs, Unknown):
            return Ruling(Status.ERRORED, expected, f"the version in {where}: {theirs.reason}", theirs.hint)
        found = list(_differences("input", theirs.inputs or (), mine.inputs, rule))
        found += _differences("output", theirs.outputs or (), mine.outputs or (), rule) if rule.outputs else ()
        if found:
            more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
            hint = "declare it by allow_added, allow_removed or allow_changed once callers are ready, or keep the columns"
            return Ruling(Status.FAILED, expected, "; ".join(found[:_SHOWN] + more), hint)
        return Ruling(Status.PASSED, expected, f"{len(mine.inputs)} inputs and {len(mine.outputs or ())} outputs agree")


def _differences(what: str, theirs: tuple[Column, ...], mine: tuple[Column, ...], rule: Parameters) -> Iterator[str]:
    """One phrase for each difference that the rule does not allow."""
    old, new = _named(theirs), _named(mine)
    for name in old.keys() - new.keys():
        if not matches(name, rule.allow_removed):
            yield f"{what} {name} is gone"
    for name, column in new.items():
        if name not in old:
            optional = what == "input" and not column.required
            if not optional and not matches(name, rule.allow_added):
                yield f"{what} {name} ({column.type}) is new"
            continue
        before = old[name]
        changed = before.type != column.type or (what == "input" and column.required and not before.required)
        if changed and not matches(name, rule.allow_changed):
            yield f"{what} {name} was {_told(before)} and is {_told(column)}"
    common_old, common_new = [name for name in old if name in new], [name for name in new if name in old]
    if rule.order and common_old != common_new:
        first = next(index for index, (one, other) in enumerate(zip(common_old, common_new, strict=True)) if one != other)
        yield f"{what}s stand in another order, from {common_new[first]} on"


def _named(columns: tuple[Column, ...]) -> Mapping[str, Column]:
    """Columns by name; one without a name by its place, which is all that callers know of it."""
    return {column.name if column.name is not None else f"#{place}": column for place, column in enumerate(columns, 1)}


def _told(column: Column) -> str:
    return column.type if column.required else f"{column.type} (optional)"
