"""The files of the policies folder: rules for environments, and evaluations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from promotion.config.schema import EvaluationsFile, PolicyFile, RuleForm
from promotion.config.yamlsource import Node, Source, parse
from promotion.domain import Problem
from promotion.errors import InvalidFiles
from promotion.gates import BUILT_IN, GATES
from promotion.policies import Dataset, Evaluation, Rule


def read_policies(sources: Sequence[Source], problems: list[Problem]) -> tuple[list[Rule], list[Evaluation]]:
    """Every rule and evaluation of these files; what is wrong is added to ``problems``."""
    rules: list[Rule] = []
    evaluations: list[Evaluation] = []
    for source in sources:
        try:
            root = parse(source)
        except InvalidFiles as error:
            problems += error.problems
            continue
        if root.get("evaluations") is not None:
            evaluations += _evaluations(source, root, problems)
        else:
            rules += _rules(source, root, problems)
    names: dict[str, Evaluation] = {}
    for one in evaluations:
        if names.setdefault(one.name, one) is not one:
            problems.append(Problem(one.place, f"the evaluation {one.name!r} stands twice", "duplicate-key", f"also at {names[one.name].place}"))
    return rules, evaluations


def _evaluations(source: Source, root: Node, problems: list[Problem]) -> list[Evaluation]:
    from promotion.config.load import validated

    form = validated(source, root, EvaluationsFile, root.plain(), problems)
    if form is None:
        return []
    return [
        Evaluation(
            name=name,
            models=tuple(one.models),
            evaluator=one.evaluator,
            sources=tuple(one.sources),
            dataset=Dataset(one.dataset.path, one.dataset.sha256, one.dataset.get),
            timeout=float(one.timeout),
            memory=one.memory,
            settings=one.settings,
            place=root.key(("evaluations", name)).place,
        )
        for name, one in form.evaluations.items()
    ]


def _rules(source: Source, root: Node, problems: list[Problem]) -> list[Rule]:
    from promotion.config.load import validated

    form = validated(source, root, PolicyFile, root.plain(), problems)
    if form is None:
        return []
    found = []
    for index, one in enumerate(form.rules):
        node = root.find(("rules", index))
        parameters = _parameters(source, root, one, index, problems)
        if parameters is not None:
            found.append(Rule(one.gate, form.environment, tuple(one.models), parameters, one.mode == "enforce", node.place))
    return found


def _parameters(source: Source, root: Node, rule: RuleForm, index: int, problems: list[Problem]) -> BaseModel | None:
    from promotion.config.load import translated

    path: tuple[str | int, ...] = ("rules", index)
    place = root.find((*path, "gate")).place
    gate = GATES.get(rule.gate)
    if gate is None:
        close = get_close_matches(rule.gate, set(GATES) - BUILT_IN, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known gates: {', '.join(sorted(set(GATES) - BUILT_IN))}"
        problems.append(source.problem(place, f"there is no gate {rule.gate!r}", "unknown-gate", hint))
        return None
    if rule.gate in BUILT_IN:
        problems.append(source.problem(place, f"{rule.gate!r} always judges and has nothing to set", "built-in-gate", "remove this rule"))
        return None
    try:
        # As JSON, since a list is what YAML has for pydantic's strict tuples.
        return gate.parameters.model_validate_json(json.dumps(rule.model_extra or {}))
    except ValidationError as error:
        problems += [translated(source, root, gate.parameters, one, path) for one in error.errors(include_url=False)]
        return None
