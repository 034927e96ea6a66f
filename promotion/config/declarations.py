"""environments.yaml → what git declares: every problem of every file, or Desired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promotion.config import yamlsource
from promotion.config.document import Document, Node, Scalar, Source, Table, described
from promotion.config.schema import EnvironmentsFile
from promotion.config.values import parse_use
from promotion.config.wording import nearest, report_odd, validated
from promotion.cycles import collector_paused
from promotion.domain import Declared, Desired, Environment, Limits, Problem

DEFAULT_ENVIRONMENTS = (Environment("staging", "Staging", "staging"), Environment("production", "Production", "production"))
_EXAMPLE = "the least that a file may hold is: version: 1, and in the next line: models: {}"
_LAYOUT = "write each binding in lines of its own:\n  staging:\n    use: 4\n  production:\n    use: 3"


@dataclass(frozen=True, slots=True)
class _Read:
    """One file: its tree, and its values where it has the right form."""

    document: Document
    values: EnvironmentsFile | None


@dataclass(frozen=True, slots=True)
class Declarations:
    """What the files declare as far as they are right, with their documents, whose ``problems`` tell the rest."""

    desired: Desired
    documents: tuple[Document, ...]


def read(sources: Sequence[Source]) -> Declarations:
    """Read all files together; raises nothing, every problem is in the documents."""
    with collector_paused():
        return _together([_read(source) for source in sources])


def _together(files: Sequence[_Read]) -> Declarations:
    """What the files say together."""
    environments = _environments(files)
    limits = _limits(files)
    _check_models(files, [environment.name for environment in environments])
    bindings = [binding for file in files for binding in _bindings(file)]
    order = {environment.name: index for index, environment in enumerate(environments)}
    bindings.sort(key=lambda one: (one.model, order.get(one.environment, len(order))))
    return Declarations(Desired(environments, tuple(bindings), limits), tuple(file.document for file in files))


def problems(documents: Sequence[Document]) -> list[Problem]:
    """Every problem of the documents."""
    return [problem for document in documents for problem in document.all_problems()]


def uses(document: Document) -> Iterator[tuple[Scalar, Scalar, Scalar]]:
    """The model, environment and value of every ``use`` that has the right form, in the order of the file."""
    for name, entry in _models(document):
        if not isinstance(entry, Table):
            continue
        for environment, binding in entry.entries.values():
            use = binding.get("use") if isinstance(binding, Table) else None
            if isinstance(use, Scalar):
                yield name, environment, use


def model_names(document: Document) -> list[str]:
    """The names of the models that a file declares, whatever else is wrong with them."""
    return [name.text for name, _ in _models(document)]


def _read(source: Source) -> _Read:
    document = yamlsource.read(source)
    if document.root is None or (isinstance(document.root, Scalar) and not document.root.text):
        if not document.problems:
            document.report_at(0, 0, "the file declares nothing", "empty-file", _EXAMPLE)
        return _Read(document, None)
    if not isinstance(document.root, Table):
        document.report(document.root, f"the file must be a mapping, however: {described(document.root)}", "value", _EXAMPLE)
        return _Read(document, None)
    values = validated(document, EnvironmentsFile, document.root)
    report_odd(document, document.root, {(problem.place.line - 1, problem.place.column - 1) for problem in document.problems})
    _check_layout(document)
    return _Read(document, values)


def _models(document: Document) -> Iterator[tuple[Scalar, Node]]:
    models = document.root.get("models") if isinstance(document.root, Table) else None
    yield from models.entries.values() if isinstance(models, Table) else ()


def _check_layout(document: Document) -> None:
    """No two bindings on the same or on adjacent lines: reverting one would conflict with a later change of the other."""
    before: tuple[Scalar, Scalar, Scalar] | None = None
    for model, environment, use in sorted(uses(document), key=lambda one: (one[2].line, one[2].column)):
        if before is not None and use.line - before[2].line <= 1:
            message = (
                f"'use' of {model.text} {environment.text} stands next to that of {before[0].text} {before[1].text}:"
                " git could not revert one without the other"
            )
            document.report(use, message, "layout", _LAYOUT)
        before = model, environment, use


def _environments(files: Sequence[_Read]) -> tuple[Environment, ...]:
    """The environments that a file declares, or the usual two."""
    found: tuple[Environment, ...] | None = None
    first = ""
    for file in files:
        key, node = file.document.at(("environments",))
        if key is None or not isinstance(node, Table):
            continue
        if found is not None:
            file.document.report(key, f"environments are declared in {first} already", "several-files", "declare them in one file only")
            continue
        first = str(file.document.place(key))
        found = _checked_environments(file.document, node, key)
    return DEFAULT_ENVIRONMENTS if found is None else found


def _checked_environments(document: Document, table: Table, key: Scalar) -> tuple[Environment, ...]:
    found: list[Environment] = []
    if not table.entries:
        document.report(key, "'environments' must not be empty", "environments", "delete the key for the usual two: staging and production")
        return DEFAULT_ENVIRONMENTS
    stages: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for name, (name_node, entry) in table.entries.items():
        stage, alias = _text(entry, "stage"), _text(entry, "alias")
        if stage is None and alias is None and isinstance(entry, Table) | _is_nothing(entry):
            hint = f"write {name}: {{alias: {name}}}"
            document.report(name_node, f"{name!r} has neither stage nor alias, so nobody could see it", "environments", hint)
        for kind, value, known in (("stage", stage, stages), ("alias", alias, aliases)):
            if value is not None and value in known:
                message = f"{name!r} has the same {kind} {value!r} as {known[value]!r}"
                hint = "beyond staging and production an environment has an alias only" if kind == "stage" else "give each its own"
                document.report(entry, message, "environments", hint)
            elif value is not None:
                known[value] = name
        if stage == "Staging" and "Production" in stages:
            message = f"{name!r} (Staging) stands behind {stages['Production']!r} (Production)"
            document.report(entry, message, "environments", "write them in the order of promotion")
        found.append(Environment(name, stage, alias))
    return tuple(found)


def _text(entry: Node, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, Table) else None
    return value.value if isinstance(value, Scalar) and isinstance(value.value, str) else None


def _is_nothing(entry: Node) -> bool:
    return isinstance(entry, Scalar) and entry.plain and entry.value is None


def _limits(files: Sequence[_Read]) -> Limits:
    found: Limits | None = None
    first = ""
    for file in files:
        key, _ = file.document.at(("limits",))
        if key is None:
            continue
        if found is not None:
            file.document.report(key, f"limits are set in {first} already", "several-files", "set them in one file only")
            continue
        first = str(file.document.place(key))
        entry = file.values.limits if file.values else None
        found = Limits(entry.max_changes, entry.max_share) if entry else Limits()
    return found or Limits()


def _check_models(files: Sequence[_Read], environments: Sequence[str]) -> None:
    """A model stands in one file, declares something, and names environments that exist."""
    known: dict[str, str] = {}
    for file in files:
        document = file.document
        for name, entry in _models(document):
            if name.text in known:
                message = f"{name.text!r} is declared in {known[name.text]} already"
                document.report(name, message, "several-files", "a model belongs to one file")
            known[name.text] = str(document.place(name))
            if (isinstance(entry, Table) and not entry.entries) or _is_nothing(entry):
                hint = f"write {environments[0]} below it, or delete the model"
                document.report(name, f"{name.text!r} declares no environment", "empty-model", hint)
            for environment, _ in entry.entries.values() if isinstance(entry, Table) else ():
                if environment.text not in environments:
                    message = f"there is no environment {environment.text!r}"
                    document.report(environment, message, "unknown-environment", nearest(environment.text, environments))


def _bindings(file: _Read) -> Iterator[Declared]:
    """The bindings of a file whose values are right."""
    if file.values is None:
        return
    for model, environment, use in uses(file.document):
        parsed = parse_use(use.value)
        version, digest = parsed or (None, None)
        yield Declared(model.text, environment.text, version, digest, file.document.place(use))
