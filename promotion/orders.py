"""Fetch, measure, decide as separate steps with separate rights: what is to be measured, in a folder that travels between them.

*Fetch* needs a credential that reads, and runs no model code: it downloads each version that is to be promoted, checks its digest and
its formats, and writes an order for every evaluation whose evidence is missing. *Measure* needs no credential at all and runs model code,
each in a confined child. *Decide* is ``gate`` or ``reconcile`` with ``--no-measure``: evidence that another step left is untrusted input,
read strictly and looked up by what it was measured from.

    FOLDER/orders.json              promotion/orders/v1: the commit, and what is to be measured
    FOLDER/models/<digest>/         the files of one version
    FOLDER/evidence/…               what measuring left, where no other folder is given
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from promotion import evaluate, formats
from promotion.abreast import Abreast
from promotion.changes import ChangeKind
from promotion.confine import Share
from promotion.domain import ModelVersionRef
from promotion.errors import PromotionError, UsageError
from promotion.evidence import Evidence
from promotion.gates.formats import refusals
from promotion.kept import EvidenceSource, FolderEvidence, search
from promotion.policies import Evaluation, Policies
from promotion.references import wanted
from promotion.registry.artifacts import digest_folder

if TYPE_CHECKING:
    from promotion.changes import Plan
    from promotion.domain import AppliedModel
    from promotion.survey import Workspace

SCHEMA = "promotion/orders/v1"
FILE = "orders.json"
_MOST_BYTES = 8 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Order:
    """One evaluation of one version: ``policies`` is the commit whose rules ask for it."""

    model: str
    version: int
    digest: str
    evaluation: str
    policies: str

    def __str__(self) -> str:
        return f"{self.model}/{self.version} by {self.evaluation}"


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be measured for a commit. ``left_out`` tells which versions were not fetched, and why: the gates say so again."""

    commit: str
    orders: tuple[Order, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one order: its evidence, or why there is none."""

    order: Order
    evidence: Evidence | None
    failure: PromotionError | None


def promoted(plan: Plan) -> tuple[ModelVersionRef, ...]:
    """The versions that a plan promotes: what only brings back an earlier one is not kept waiting by measuring."""
    changes = ((one.model, one.after, one.digest) for one in plan.changes if one.kind is ChangeKind.PROMOTE)
    return tuple(ModelVersionRef(model, version, digest) for model, version, digest in changes if version is not None)


def compared(
    plan: Plan, sets: Sequence[tuple[str, Policies, Path]], applied: Mapping[str, AppliedModel], sources: Sequence[EvidenceSource]
) -> tuple[ModelVersionRef, ...]:
    """The versions that rules compare a plan's promotions with, as far as ``sources`` lack evidence of them: they are measured as well."""
    found: dict[ModelVersionRef, None] = {}
    for change in plan.changes:
        for _, policies, root in sets if change.kind is ChangeKind.PROMOTE else ():
            for ref in wanted(policies, applied, change).values():
                if isinstance(ref, ModelVersionRef) and any(
                    search(sources, evaluate.evidence_key(ref.digest or "", one, root)).evidence is None
                    for one in policies.evaluations_for(ref.name)
                ):
                    found[ref] = None
    return tuple(found)


def fetch(
    workspace: Workspace,
    versions: Sequence[ModelVersionRef],
    sets: Sequence[tuple[str, Policies, Path]],
    folder: Path,
    *,
    commit: str,
    sources: Sequence[EvidenceSource],
) -> Orders:
    """Fetch versions into an empty folder, and write an order for each evaluation of which ``sources`` have no evidence.

    ``sets`` are the rules that judge: the commit they are of, the rules, and the folder in which their evaluators lie. Raises UsageError
    when the folder is not empty; a version that cannot be had is left out.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name another folder: what is measured must be what is fetched now")
    orders: dict[Order, None] = {}
    left_out: dict[str, None] = {}
    for ref in dict.fromkeys(versions):
        try:
            pickled = any(ref.name in one.pickles for _, policies, _ in sets for one in policies.evaluations_for(ref.name))
            digest = _fetched(workspace, ref, folder, pickled=pickled)
            for sha, policies, root in sets:
                for evaluation in policies.evaluations_for(ref.name):
                    if search(sources, evaluate.evidence_key(digest, evaluation, root)).evidence is None:
                        orders[Order(ref.name, ref.version, digest, evaluation.name, sha)] = None
        except PromotionError as error:
            left_out[f"{ref.name}/{ref.version}: {error.message}"] = None
    made = Orders(commit, tuple(orders), tuple(left_out))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps({"schema": SCHEMA, **asdict(made)}, indent=2) + "\n", encoding="utf-8")
    return made


def _fetched(workspace: Workspace, ref: ModelVersionRef, folder: Path, *, pickled: bool) -> str:
    """Download one version under the name of its digest; returns the digest. Raises for bytes that must not be loaded."""
    workspace.report(f"fetching {ref.name}/{ref.version}")
    scratch = folder / "models" / "part"
    try:
        fetched = evaluate.fetch(workspace.registry, ref, scratch)
        if problems := refusals(fetched.format, pickled=pickled):
            raise evaluate.NotMeasured(f"not to be loaded: {'; '.join(problems)}")
        target = scratch.with_name(fetched.artifact.digest)
        if not target.exists():
            scratch.rename(target)
        return fetched.artifact.digest
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _File(BaseModel):
    """What ``orders.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Annotated[Literal["promotion/orders/v1"], Field(alias="schema")]
    commit: str
    orders: tuple[Order, ...]
    left_out: tuple[str, ...]


def read(folder: Path) -> Orders:
    """Read the orders of a folder; raises UsageError when there are none, or they are not as ``fetch`` writes them."""
    try:
        with (folder / FILE).open("rb") as file:
            found = _File.model_validate_json(file.read(_MOST_BYTES))
    except (OSError, ValueError) as error:
        told = str(error).splitlines()
        raise UsageError(f"{folder / FILE} cannot be used: {' '.join(told[:3])}", hint="make it with: promotion fetch FOLDER") from error
    for order in found.orders:
        if _DIGEST.fullmatch(order.digest) is None:
            raise UsageError(f"{folder / FILE} cannot be used: {order.digest!r:.80} is no digest", hint="promotion fetch FOLDER")
    return Orders(found.commit, found.orders, found.left_out)


def measure(
    folder: Path,
    orders: Sequence[tuple[Order, Evaluation, Path]],
    out: Path,
    *,
    jobs: int | None,
    by: str,
    now: Callable[[], datetime],
    report: Callable[[str], None],
) -> Iterator[Done]:
    """Measure every order, ``jobs`` at a time, and keep the evidence in ``out``; yields each as it is done, in the order given.

    Each order comes with its evaluation and the folder in which its evaluator lies.
    """

    def one(order: Order, evaluation: Evaluation, root: Path, share: Share) -> Done:
        try:
            files = folder / "models" / order.digest
            if not files.is_dir():
                raise UsageError(f"{order.model}/{order.version} was not fetched into {folder}", hint="promotion fetch FOLDER")
            artifact = digest_folder(files)
            ref = ModelVersionRef(order.model, order.version, order.digest)
            if artifact.digest != order.digest:
                raise evaluate.NotMeasured(
                    f"the files of {ref.name}/{ref.version} changed since they were fetched", hint="fetch them again"
                )
            fetched = evaluate.Fetched(ref, files, artifact, formats.inspect(files))
            evidence = evaluate.measure(fetched, evaluation, root, by=by, now=now, share=share)
            FolderEvidence(out).put(evidence)
        except PromotionError as error:
            return Done(order, None, error)
        return Done(order, evidence, None)

    with Abreast(jobs, most=len(orders), report=report) as pool:
        for under_way in [pool.submit(f"measuring {item[0]}", partial(one, *item)) for item in orders]:
            yield under_way.result()
