"""Files → values: Desired and Policies, or every problem of every file at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from promotion.builtin import figures, gives
from promotion.config import declarations as declaring
from promotion.config.document import Document, Scalar, Source
from promotion.config.wording import nearest
from promotion.domain import Desired
from promotion.errors import InvalidFiles
from promotion.policies import EVERY, Policies, matches

if TYPE_CHECKING:
    from promotion.config import rules as ruling
    from promotion.policies import Evaluation

__all__ = ["Source", "load", "load_desired", "load_policies"]


def load_desired(sources: Sequence[Source]) -> Desired:
    """What the declarations say together. Raises InvalidFiles with every problem of every file."""
    found = declaring.read(sources)
    _raise_if_wrong(found.documents)
    return found.desired


def load_policies(sources: Sequence[Source]) -> Policies:
    """What the policies say together, checked by themselves. Raises InvalidFiles with every problem of every file."""
    from promotion.config import rules as ruling

    found = ruling.read(sources)
    _check_references(found)
    _raise_if_wrong(found.documents)
    return found.policies


def load(declarations: Sequence[Source], policies: Sequence[Source]) -> tuple[Desired, Policies]:
    """Both, checked against each other as well: names that the other side must know.

    Raises InvalidFiles with every problem of all files.
    """
    from promotion.config import rules as ruling

    declared, found = declaring.read(declarations), ruling.read(policies)
    _check_references(found)
    # A declaration that cannot be read at all would make every name in the policies look unknown.
    if all(document.root is not None for document in declared.documents):
        _check_environments(declared, found)
        _check_ways(declared, found)
        _check_patterns(declared, found)
    _raise_if_wrong((*declared.documents, *found.documents))
    return declared.desired, found.policies


def _raise_if_wrong(documents: Sequence[Document]) -> None:
    problems = declaring.problems(documents)
    if problems:
        raise InvalidFiles(problems)


def _check_references(found: ruling.Read) -> None:
    """Rules name evaluations that exist."""
    for document, name in found.references:
        if isinstance(name.value, str) and name.text not in found.names:
            hint = nearest(name.text, list(found.names)) or "no file of the policies has evaluations"
            document.report(name, f"there is no evaluation {name.text!r}", "unknown-evaluation", hint)
    _check_figures(found)


def _check_figures(found: ruling.Read) -> None:
    """Rules ask for figures that a built-in evaluator can give of what the model puts out.

    A rule that names no evaluation speaks of one that measures its models: the figure is wrong where no such one can give it.
    """
    for document, metric, patterns, named in found.figures:
        asked = [one for one in found.policies.evaluations if (one.name == named if named else _meet(one.models, patterns))]
        known = [one for one in asked if one.builtin is not None]
        if not asked or len(known) < len(asked) or any(gives(one.builtin or "", one.settings, metric.text) for one in known):
            continue
        message = f"{known[0].name!r} cannot give {metric.text!r}: {_told(known[0])}"
        listed = [name for name in figures(known[0].builtin or "", known[0].settings) if "*" not in name]
        document.report(metric, message, "unknown-figure", nearest(metric.text, listed))


def _told(evaluation: Evaluation) -> str:
    """What a built-in evaluator is told of the model's output."""
    output = evaluation.settings.get("output")
    return f"it is {evaluation.builtin}" + (f" with output: {output}" if output is not None else "")


def _meet(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether patterns may match a common name: what stands before their first special character must agree."""
    heads = [[re.split(r"[*?\[]", pattern)[0] for pattern in patterns] for patterns in (some, others)]
    return any(one.startswith(other) or other.startswith(one) for one in heads[0] for other in heads[1])


def _check_environments(declared: declaring.Declarations, found: ruling.Read) -> None:
    """Rules are for environments that exist, and each environment has rules."""
    names = [environment.name for environment in declared.desired.environments]
    ruled = [(document, scalar) for document, scalar in found.environments if scalar.text != EVERY]
    for document, scalar in (*ruled, *found.excused):
        if isinstance(scalar.value, str) and scalar.text not in names:
            document.report(scalar, f"there is no environment {scalar.text!r}", "unknown-environment", nearest(scalar.text, names))
    judged = {scalar.text for _, scalar in found.environments}
    judged |= set(names) if EVERY in judged else set()
    for name in names:
        found_at = None if name in judged else _needs_rules(declared, name)
        if found_at is not None:
            document, where = found_at
            hint = f"add a file to the policies with: environment: {name}"
            document.report(where, f"no policy has rules for {name!r}, so nothing could enter it", "no-rules", hint)


def _check_ways(declared: declaring.Declarations, found: ruling.Read) -> None:
    """Rules say nothing that does not hold: one that must block is not only observed, and one about the way stands where there is a way.

    Checked of what is declared now alone: rules that were applied before may say so, and are judged by all the same.
    """
    from promotion.gates import GATES

    first = next((environment.name for environment in declared.desired.environments), "")
    for document, entry, environment in found.rules:
        gate, mode = entry.get("gate"), entry.get("mode")
        if not isinstance(gate, Scalar):
            continue
        if isinstance(mode, Scalar) and mode.text == "observe" and GATES[gate.text].mandatory:
            document.report(mode, f"{gate.text} always blocks, it cannot be observed alone", "mandatory-gate", "leave mode out")
        if gate.text == "staging_first" and environment in {EVERY, first}:
            message = f"nothing comes before {first!r}, so nothing could enter it"
            document.report(gate, message, "first-environment", "use staging_first for a later environment")


def _needs_rules(declared: declaring.Declarations, environment: str) -> tuple[Document, Scalar] | None:
    """Where a file declares an environment, or else first puts a version into it; None where it does neither."""
    for document in declared.documents:
        key, _ = document.at(("environments", environment))
        if key is not None:
            return document, key
    for document in declared.documents:
        for _, name, use in declaring.uses(document):
            if name.text == environment and use.text != "none":
                return document, name
    return None


def _check_patterns(declared: declaring.Declarations, found: ruling.Read) -> None:
    """Every pattern matches a model, once there are models: one that matches nothing is a slip that would leave a model unjudged."""
    models = sorted({name for document in declared.documents for name in declaring.model_names(document)})
    if not models:
        return
    verdicts: dict[str, bool] = {}
    for document, pattern in found.patterns:
        if pattern.text not in verdicts:
            verdicts[pattern.text] = any(matches(name, (pattern.text,)) for name in models)
        if not verdicts[pattern.text]:
            document.report(pattern, f"{pattern.text!r} matches no declared model", "pattern", nearest(pattern.text, models))
    for document, name in found.models:
        if name.text not in models:
            document.report(name, f"the model {name.text!r} is not declared", "unknown-model", nearest(name.text, models))
