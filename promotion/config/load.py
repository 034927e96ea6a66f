"""Files → Desired and Policies, or every problem of every file at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from promotion.config.rules import read_policies
from promotion.config.schema import EnvironmentsFile
from promotion.config.yamlsource import Node, Source, adjacent, parse
from promotion.domain import Declared, Desired, Environment, Limits, Place, Problem
from promotion.errors import InvalidFiles
from promotion.policies import Policies, matches

__all__ = ["Source", "load", "load_desired", "load_policies"]

STANDARD = (Environment("staging", "Staging", "staging"), Environment("production", "Production", "production"))
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_NAME = re.compile(r"[^\s/:'\"`%\x00-\x1f\x7f]{1,256}")


def load(declarations: Sequence[Source], policies: Sequence[Source]) -> tuple[Desired, Policies]:
    """Both together, with what only both together can tell. Raises InvalidFiles with every problem of all files."""
    problems: list[Problem] = []
    desired = _try(lambda: load_desired(declarations), problems)
    rules = _try(lambda: load_policies(policies), problems)
    if desired is not None and rules is not None:
        problems += _together(desired, rules, policies)
    if problems or desired is None or rules is None:
        raise InvalidFiles(problems)
    return desired, rules


def load_desired(sources: Sequence[Source]) -> Desired:
    """What these files declare together; a model stands in one of them. Raises InvalidFiles."""
    problems: list[Problem] = []
    found = [(source, one) for source in sources if (one := _try(lambda source=source: _file(source), problems)) is not None]  # type: ignore[misc]
    owners: dict[str, Place] = {}
    for source, (_, root) in found:
        models = root.get("models")
        for key, _ in models.entries or () if models else ():
            if (first := owners.setdefault(str(key.value), key.place)) is not key.place:
                hint = f"it is declared at {first} already: a model stands in one file"
                problems.append(source.problem(key.place, f"the model {key.value!r} is declared twice", "duplicate-model", hint))
    special = [(source, form) for source, (form, _) in found if form.environments is not None]
    for source, _ in special[1:]:
        problems.append(source.problem(Place(source.name, 1, 1), "environments are declared in two files", "environments", "declare them in one"))
    environments = _environments(special[0][1]) if special else STANDARD
    bindings = [binding for source, (form, root) in found for binding in _bindings(source, form, root, environments, problems)]
    if problems:
        raise InvalidFiles(problems)
    limits = next((form.limits for _, (form, _) in found if "limits" in form.model_fields_set), None)
    return Desired(
        environments,
        tuple(sorted(bindings, key=lambda one: (one.model, one.environment))),
        Limits(limits.max_changes, limits.max_share) if limits else Limits(),
    )


def load_policies(sources: Sequence[Source]) -> Policies:
    """The rules and evaluations of these files. Raises InvalidFiles with every problem of all of them."""
    problems: list[Problem] = []
    rules, evaluations = read_policies(sources, problems)
    if problems:
        raise InvalidFiles(problems)
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda one: one.name):
        name = source.name.rpartition("/")[2].encode()
        digest.update(b"%d:%b%d:%b" % (len(name), name, len(source.content), source.content))
    return Policies(tuple(rules), tuple(evaluations), digest.hexdigest())


def validated(source: Source, root: Node, form: type[M], value: object, problems: list[Problem], at: tuple[str | int, ...] = ()) -> M | None:
    """A value as a model; each of pydantic's errors becomes a problem at the place of its key or value."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        problems += [translated(source, root, form, one, at) for one in error.errors(include_url=False)]
        return None


def translated(source: Source, root: Node, form: type[BaseModel], error: object, at: tuple[str | int, ...]) -> Problem:
    """One of pydantic's errors, with its place and in our words."""
    assert isinstance(error, dict)
    path = (*at, *(step for step in error["loc"] if step != "[key]"))
    kind, last = str(error["type"]), str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        known = [key for key in _fields(form, path[len(at) :]) if key]
        close = get_close_matches(last, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return source.problem(root.key(path).place, f"unknown key {last!r}", "unknown-key", hint)
    if kind == "missing":
        return source.problem(root.find(path[:-1]).place, f"the key {last!r} is missing", "missing-key")
    message = str(error["msg"]).removeprefix("Value error, ")
    return source.problem(root.find(path).place, message[:1].lower() + message[1:] if kind != "value_error" else message, kind.replace("_", "-"))


def _fields(form: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that a model allows where ``path`` ends."""
    schema = form.model_json_schema()
    node: dict[str, object] = schema
    for step in path[:-1]:
        found = (node.get("properties") or {}).get(step) if isinstance(step, str) else None  # type: ignore[attr-defined]
        found = found or node.get("additionalProperties") or node.get("items") or {}
        options = [found, *(found.get("anyOf") or [])] if isinstance(found, dict) else []
        target = next((one for one in options if isinstance(one, dict) and ("$ref" in one or one.get("type") in {"object", "array"})), {})
        node = schema["$defs"][target["$ref"].rpartition("/")[2]] if "$ref" in target else target
    return sorted(node.get("properties") or {})  # type: ignore[call-overload]


def _try(read: Callable[[], T], problems: list[Problem]) -> T | None:
    try:
        return read()
    except InvalidFiles as error:
        problems += error.problems
        return None


def _file(source: Source) -> tuple[EnvironmentsFile, Node]:
    root = parse(source)
    problems: list[Problem] = []
    form = validated(source, root, EnvironmentsFile, root.plain(), problems)
    if form is None or problems:
        raise InvalidFiles(problems)
    return form, root


def _environments(form: EnvironmentsFile) -> tuple[Environment, ...]:
    return tuple(Environment(name, one.stage, one.alias) for name, one in (form.environments or {}).items())


def _bindings(
    source: Source, form: EnvironmentsFile, root: Node, environments: tuple[Environment, ...], problems: list[Problem]
) -> Iterable[Declared]:
    """The bindings of one file; what is wrong with names, environments and layout is added to ``problems``."""
    if form.environments is not None:
        problems += _environment_problems(source, environments, root)
    known = {environment.name for environment in environments}
    models = root.get("models")
    found = []
    for key, value in models.entries or () if models else ():
        if not _NAME.fullmatch(str(key.value)) or key.value in {".", ".."}:
            problems.append(source.problem(key.place, f"{key.value!r} cannot be a model's name", "model-name", "no spaces, slashes, colons or quotes"))
        for environment, binding in value.entries or ():
            name = str(environment.value)
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"declared are: {', '.join(one.name for one in environments)}"
                problems.append(source.problem(environment.place, f"there is no environment {name!r}", "unknown-environment", hint))
            use = binding.get("use")
            declared = (form.models or {}).get(str(key.value))
            if use is not None and declared is not None:
                bound = declared[name].use
                found.append(Declared(str(key.value), name, bound.version if bound else None, (bound.digest or None) if bound else None, use.place))
    lines = sorted(one.place.line for one in found)
    if adjacent(lines):
        problems += _adjacent(source, found)
    return found


def _adjacent(source: Source, found: list[Declared]) -> list[Problem]:
    """Bindings on neighbouring lines: a later change of one makes reverting the other a conflict."""
    ordered = sorted(found, key=lambda one: (one.place.line, one.place.column))
    hint = "write each as three lines: the environment's name, then use: on a line of its own (promotion propose keeps that)"
    return [
        source.problem(later.place, f"two bindings on neighbouring lines: reverting {one.environment} would conflict with {later.environment}", "layout", hint)
        for one, later in zip(ordered, ordered[1:], strict=False)
        if later.place.line - one.place.line < 2
    ]


def _environment_problems(source: Source, environments: tuple[Environment, ...], root: Node) -> list[Problem]:
    problems = []
    place = root.get("environments")
    assert place is not None
    for index, one in enumerate(environments):
        where = place.find((one.name,)).place
        if one.stage is None and one.alias is None:
            problems.append(source.problem(where, f"{one.name!r} has neither a stage nor an alias", "environments", "give it an alias"))
        for other in environments[:index]:
            if one.stage is not None and one.stage == other.stage:
                problems.append(source.problem(where, f"{other.name!r} has the stage {one.stage} already", "environments"))
            if one.alias is not None and one.alias == other.alias:
                problems.append(source.problem(where, f"{other.name!r} has the alias {one.alias} already", "environments"))
    if not environments:
        problems.append(source.problem(place.place, "no environment is declared", "environments", "leave the key out for staging and production"))
    return problems


def _together(desired: Desired, policies: Policies, sources: Sequence[Source]) -> Iterable[Problem]:
    """What only declarations and rules together can tell."""
    files = {source.name: source for source in sources}
    known = [environment.name for environment in desired.environments]
    for rule in policies.rules:
        if rule.environment not in known:
            close = get_close_matches(rule.environment, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"declared are: {', '.join(known)}"
            yield files[rule.place.file].problem(rule.place, f"rules for {rule.environment!r}, which is not declared", "unknown-environment", hint)
    for environment in known:
        declared = [one for one in desired.bindings if one.environment == environment and one.version is not None]
        if declared and not any(rule.environment == environment for rule in policies.rules):
            hint = f"add policies/{environment}.yaml: without rules nothing may enter"
            yield Problem(declared[0].place, f"{environment!r} has no rules", "no-rules", hint)
    if not desired.models:
        return
    named = [("rule", rule.models, rule.place) for rule in policies.rules]
    named += [("evaluation", evaluation.models, evaluation.place) for evaluation in policies.evaluations]
    for what, patterns, place in named:
        for pattern in patterns:
            if not any(matches(model, (pattern,)) for model in desired.models):
                close = get_close_matches(pattern, desired.models, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"declared are: {', '.join(desired.models[:8])}"
                yield files[place.file].problem(place, f"this {what} is for {pattern!r}, which matches no declared model", "unmatched-pattern", hint)
