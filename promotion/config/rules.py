"""policies/*.yaml → the rules in force: every problem of every file, or Policies. What a file is, its content tells."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pydantic import BaseModel

from promotion.builtin import ENTRY_POINTS
from promotion.config import exceptions, yamlsource
from promotion.config.document import Document, Items, Scalar, Source, Table, described
from promotion.config.schema import AnyEvaluation, EvaluationEntry, EvaluationsFile, PolicyFile, RuleEntry
from promotion.config.wording import nearest, report_odd, validated
from promotion.gates import BUILT_IN, GATES, formats
from promotion.policies import Dataset, Evaluation, Policies, Rule
from promotion.verdicts import Barred, Waiver

_COMMON = frozenset(RuleEntry.model_fields)
_NO_SETTINGS = {"models", "builtin", "dataset", "timeout", "memory", "lock"}
_WHAT = "rules have the keys version, environment and rules; other files version and evaluations, waivers or quarantine"


@dataclass(slots=True)
class Read:
    """What the files say as far as they are right, with their documents, whose ``problems`` tell the rest."""

    policies: Policies
    documents: tuple[Document, ...]
    environments: list[tuple[Document, Scalar]] = field(default_factory=list)
    """Each environment that a file gives rules for, where it names it."""
    patterns: list[tuple[Document, Scalar]] = field(default_factory=list)
    """Every pattern for names of models, where it stands."""
    references: list[tuple[Document, Scalar]] = field(default_factory=list)
    """Every evaluation that a rule names, where it names it."""
    names: dict[str, str] = field(default_factory=dict)
    """Every evaluation, by its place, right or wrong."""
    models: list[tuple[Document, Scalar]] = field(default_factory=list)
    """Every model that a waiver or a list of pickles names, where it names it."""
    figures: list[tuple[Document, Scalar, tuple[str, ...], str | None]] = field(default_factory=list)
    """Every figure that a rule names, where it names it; for which models, and the evaluation where it names one."""
    excused: list[tuple[Document, Scalar]] = field(default_factory=list)
    """Every environment that a waiver, or a rule for another one, names; where it names it."""
    rules: list[tuple[Document, Table, str]] = field(default_factory=list)
    """Every right rule, where it stands, and its environment or ``EVERY``."""


def read(sources: Sequence[Source]) -> Read:
    """Read all files together; raises nothing, every problem is in the documents."""
    rules: list[Rule] = []
    evaluations: list[Evaluation] = []
    waivers: list[Waiver] = []
    barred: list[Barred] = []
    found = Read(Policies((), (), digest(sources)), ())
    documents = []
    for source in sorted(sources, key=lambda one: one.name):
        document = yamlsource.read(source)
        documents.append(document)
        root = _root(document)
        if root is None:
            continue
        if "evaluations" in root.entries:
            evaluations += _evaluations(document, root, found)
        elif root.entries.keys() & {"rules", "environment"}:
            rules += _rules(document, root, found)
        elif "waivers" in root.entries:
            waivers += exceptions.waivers(document, root, found.models, found.excused)
        elif "quarantine" in root.entries:
            barred += exceptions.quarantine(document, root)
        else:
            document.report(root, "this is neither rules nor evaluations, waivers or a quarantine", "kind", _WHAT)
            continue
        report_odd(document, root, {(problem.place.line - 1, problem.place.column - 1) for problem in document.problems})
    pickles = tuple(sorted({name for rule in rules if isinstance(rule.parameters, formats.Parameters) for name in rule.parameters.pickle}))
    evaluations = [replace(one, pickles=pickles) for one in evaluations] if pickles else evaluations
    found.policies = Policies(tuple(rules), tuple(evaluations), found.policies.digest, tuple(barred), tuple(waivers))
    found.documents = tuple(documents)
    return found


def digest(sources: Sequence[Source]) -> str:
    """Sha256 over the sorted names (without their folder) and the bytes of the files, in hex.

    Each part is hashed first, so that none can run into the next.
    """
    whole = hashlib.sha256()
    for source in sorted(sources, key=lambda one: one.name):
        whole.update(hashlib.sha256(PurePosixPath(source.name).name.encode()).digest())
        whole.update(hashlib.sha256(source.content).digest())
    return whole.hexdigest()


def _root(document: Document) -> Table | None:
    """The file's mapping; None where there is none, with the problem noted."""
    root = document.root
    if isinstance(root, Table):
        return root
    if not document.problems:
        if root is None or (isinstance(root, Scalar) and not root.text):
            document.report_at(0, 0, "the file holds no rules", "empty-file", f"{_WHAT}; or delete it")
        else:
            document.report(root, f"the file must be a mapping, however: {described(root)}", "value", _WHAT)
    return None


def _rules(document: Document, root: Table, found: Read) -> list[Rule]:
    """The rules of one file."""
    file = validated(document, PolicyFile, root)
    environment = root.get("environment")
    if isinstance(environment, Scalar):
        found.environments.append((document, environment))
    entries = root.get("rules")
    rules = []
    for index, entry in enumerate(entries.items if isinstance(entries, Items) else ()):
        if not isinstance(entry, Table):
            continue
        found.patterns += _patterns(document, entry)
        evaluation = entry.get("evaluation")
        found.references += [(document, one) for one in (evaluation, entry.get("spread")) if isinstance(one, Scalar)]
        baseline = entry.get("baseline")
        found.patterns += [(document, baseline)] if isinstance(baseline, Scalar) else []
        against = entry.get("against")
        if isinstance(against, Scalar):
            found.excused.append((document, against))
        pickles = entry.get("pickle")
        found.models += [(document, name) for name in (pickles.items if isinstance(pickles, Items) else ()) if isinstance(name, Scalar)]
        parameters = _parameters(document, entry, index)
        if parameters is not None and file is not None:
            values = file.rules[index]
            named = evaluation.text if isinstance(evaluation, Scalar) else None
            figures = (entry.get("metric"), entry.get("relative_to"))
            found.figures += [(document, one, values.models, named) for one in figures if isinstance(one, Scalar)]
            found.rules.append((document, entry, file.environment))
            rules.append(Rule(values.gate, file.environment, values.models, parameters, values.mode == "enforce", document.place(entry)))
    return rules


def _parameters(document: Document, entry: Table, index: int) -> BaseModel | None:
    """What the gate itself is told, or None with the problem noted."""
    name = entry.get("gate")
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        return None
    if name.text in BUILT_IN:
        document.report(name, f"the gate {name.text!r} runs by itself, no policy names it", "built-in-gate", "delete this rule")
        return None
    gate = GATES.get(name.text)
    if gate is None:
        known = [one for one in GATES if one not in BUILT_IN]
        document.report(name, f"there is no gate {name.text!r}", "unknown-gate", nearest(name.text, known))
        return None
    return validated(document, gate.parameters, entry, ("rules", index), without=_COMMON)


def _evaluations(document: Document, root: Table, found: Read) -> list[Evaluation]:
    """The evaluations of one file."""
    file = validated(document, EvaluationsFile, root)
    table = root.get("evaluations")
    evaluations = []
    for name, entry in table.entries.values() if isinstance(table, Table) else ():
        if name.text in found.names:
            message = f"the evaluation {name.text!r} stands in {found.names[name.text]} already"
            document.report(name, message, "several-files", "name each once")
        found.names[name.text] = str(document.place(name))
        if not isinstance(entry, Table):
            continue
        found.patterns += _patterns(document, entry)
        if file is not None:
            evaluations.append(_evaluation(document, name, file.evaluations[name.text]))
    return evaluations


def _evaluation(document: Document, name: Scalar, entry: AnyEvaluation) -> Evaluation:
    if isinstance(entry, EvaluationEntry):
        builtin, evaluator, sources, settings = None, entry.evaluator, entry.sources, entry.settings
    else:
        builtin, evaluator, sources = entry.builtin, ENTRY_POINTS[entry.builtin], ()
        settings = entry.model_dump(mode="json", exclude=_NO_SETTINGS, exclude_none=True)
    return Evaluation(
        name=name.text,
        models=entry.models,
        evaluator=evaluator,
        sources=sources,
        dataset=Dataset(entry.dataset.path, entry.dataset.sha256, entry.dataset.get),
        timeout=entry.timeout,
        memory=entry.memory,
        settings=settings,
        place=document.place(name),
        builtin=builtin,
        lock=entry.lock,
    )


def _patterns(document: Document, entry: Table) -> list[tuple[Document, Scalar]]:
    models = entry.get("models")
    return [(document, item) for item in models.items if isinstance(item, Scalar)] if isinstance(models, Items) else []
