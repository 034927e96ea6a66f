"""Measures one version: fetch it, check what it is, run the evaluator that a policy names in a confined child, make Evidence.

Nothing of the model is loaded in this process. What the child leaves is one bounded file, parsed strictly; everything else
that it may do ends as NotMeasured with the reason: the model is then neither good nor bad, it was not measured.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promotion import builtin, confine, formats, packing
from promotion.confine import ALONE, Share
from promotion.counting import CountsError
from promotion.errors import Exit, PromotionError, Unavailable, UsageError
from promotion.evidence import Evaluator, Evidence, canonical, key
from promotion.figures import Counts, parse
from promotion.gates.formats import refusals
from promotion.packing import ReplicatesError
from promotion.progress import Progress
from promotion.registry.artifacts import digest_folder
from promotion.replicates import read as read_replicates
from promotion.sources import alone, dataset_digest, evaluator_digest

if TYPE_CHECKING:
    from promotion.domain import ModelVersionRef
    from promotion.gates.interface import Format
    from promotion.policies import Dataset, Evaluation
    from promotion.registry.interface import Artifact, Registry

MAX_RESULT = 32 << 20


class NotMeasured(PromotionError):
    """The evaluator or the model did not let itself be measured: it raised, looped, ate memory, wrote garbage (exit 5)."""

    exit_code = Exit.ERRORED


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version's files on this machine, with their digest and what they hold."""

    ref: ModelVersionRef
    folder: Path
    artifact: Artifact
    format: Format


def evaluate(
    registry: Registry,
    ref: ModelVersionRef,
    evaluation: Evaluation,
    root: Path,
    *,
    by: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    share: Share = ALONE,
) -> Evidence:
    """Download a version and measure it; ``root`` is where evaluators and datasets of the policy lie.

    Raises Unavailable (registry or dataset), UsageError (no such source file, another digest than ``ref`` pins),
    formats.Unreadable and NotMeasured.
    """
    with tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True) as folder:
        fetched = fetch(registry, ref, Path(folder) / "model")
        return measure(fetched, evaluation, root, by=by, now=now, share=share)


def fetch(registry: Registry, ref: ModelVersionRef, folder: Path) -> Fetched:
    """Download a version's files into ``folder`` and inspect them; raises as ``evaluate``."""
    artifact = registry.download(ref.name, ref.version, folder)
    if ref.digest is not None and artifact.digest != ref.digest:
        msg = f"{ref.name}/{ref.version} is sha256:{artifact.digest}, not sha256:{ref.digest}"
        raise UsageError(msg, hint="the artifact is not the one that was pinned")
    return Fetched(ref, folder, artifact, formats.inspect(folder))


def measure(
    fetched: Fetched, evaluation: Evaluation, root: Path, *, by: str, now: Callable[[], datetime], share: Share = ALONE
) -> Evidence:
    """Run the evaluator on files that are here already, on its share of the machine where others are measured beside it.

    Raises as ``evaluate``.
    """
    problems = refusals(fetched.format, pickled=fetched.ref.name in evaluation.pickles)
    if problems:
        msg = f"not loaded: {'; '.join(problems)}"
        raise NotMeasured(msg, hint="log the model as pt2, or in the library's own format, without code_paths")
    # An earlier child had the same files at hand, and could have changed them.
    if digest_folder(fetched.folder).digest != fetched.artifact.digest:
        msg = f"the downloaded files of {fetched.ref} changed on this machine"
        raise NotMeasured(msg, hint="find out what wrote to them; run it again")
    evaluator = evaluator_of(evaluation, root)
    dataset = pinned_dataset(evaluation.dataset, root)
    started = now()
    with tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True) as folder, alone(root, evaluation.sources) as code:
        result, isolation = _run(Path(folder), fetched, evaluation, dataset, code, share)
    finished = now()
    if evaluator_of(evaluation, root) != evaluator:
        msg = "the evaluator's source files changed while it ran"
        raise NotMeasured(msg, hint="find out what wrote to them; run it again")
    try:
        counts = parse(result.get("counts"))
    except CountsError as error:
        msg = f"{evaluation.evaluator} gave counts that do not add up: {error.message}"
        raise NotMeasured(msg, hint=error.hint) from error
    resampled = _replicates(result.get("replicates"), counts, evaluation.evaluator)
    return Evidence(
        evaluation=evaluation.name,
        subject=f"{fetched.ref.name}/{fetched.ref.version}",
        artifact=fetched.artifact.digest,
        dataset_path=evaluation.dataset.path,
        dataset=evaluation.dataset.sha256,
        evaluator=evaluator,
        settings=evaluation.settings,
        counts=counts,
        isolation=isolation,
        versions={"python": platform.python_version(), **_versions(result.get("versions"))},
        hardware=_hardware(share),
        started=started,
        finished=finished,
        by=by,
        resampled=resampled,
        seeds={"python": confine.HASH_SEED, **({} if resampled is None else {"resamples": packing.seed()})},
    )


def evidence_key(artifact: str, evaluation: Evaluation, root: Path) -> str:
    """What evidence of this artifact by this evaluation is looked up by; raises UsageError for a pattern without files."""
    return key(artifact, evaluation.dataset.sha256, evaluator_of(evaluation, root), evaluation.settings)


def evaluator_of(evaluation: Evaluation, root: Path) -> Evaluator:
    """The evaluator's identity; raises UsageError with the rule's place when a pattern matches no file."""
    try:
        own = builtin.digest() if evaluation.builtin is not None else evaluator_digest(root, evaluation.sources)
        lock = None if evaluation.lock is None else evaluator_digest(root, (evaluation.lock,))
        return Evaluator(evaluation.evaluator, own, lock)
    except UsageError as error:
        raise UsageError(f"evaluation {evaluation.name!r}: {error.message}", hint=error.hint, place=evaluation.place) from error


def pinned_dataset(dataset: Dataset, root: Path) -> Path:
    """The dataset's file once its bytes are those that the policy pins; raises Unavailable otherwise."""
    path = root / dataset.path
    fetching = f"get it with: {dataset.get}" if dataset.get else "put it there; the policy names no command that gets it"
    try:
        found = dataset_digest(path)
    except OSError as error:
        msg = f"the dataset {dataset.path} cannot be read: {error.strerror or error}"
        raise Unavailable(msg, hint=fetching) from error
    if found != dataset.sha256:
        msg = f"the dataset {dataset.path} is sha256:{found}, where the policy pins sha256:{dataset.sha256}"
        raise Unavailable(msg, hint=f"{fetching}; if the new data is meant, change the pin in a commit of its own")
    return path


def _run(folder: Path, fetched: Fetched, evaluation: Evaluation, dataset: Path, code: Path, share: Share) -> tuple[dict[str, Any], str]:
    """Run the child, which imports from ``code``, and read what it left; the isolation that it really had."""
    limits = confine.Limits(evaluation.timeout, evaluation.memory)
    task, result, progress = folder / "task.json", folder / "result.json", folder / "progress.txt"
    task.write_bytes(
        canonical(
            {
                "entry_point": evaluation.evaluator,
                "model": str(fetched.folder.resolve()),
                "dataset": str(dataset.resolve()),
                "settings": dict(evaluation.settings),
                "result": str(result),
                "progress": str(progress),
                "limits": limits.resources,
            }
        )
    )
    try:
        command = ["-m", "promotion.measure", str(task)]
        pickles = fetched.ref.name in evaluation.pickles
        told = Progress(f"measuring {fetched.ref.name}/{fetched.ref.version} by {evaluation.name}", limits.seconds, progress, share.report)
        ended = confine.run(command, folder=folder, path=code.resolve(), limits=limits, share=share, pickles=pickles, watched=told)
    except OSError as error:
        msg = f"the evaluator could not be started: {error}"
        raise NotMeasured(msg, hint="check that this machine can start Python") from error
    said = ended.output.strip().splitlines()
    last = said[-1][:400] if said else "it said nothing"
    hint = f"run it by hand: promotion evaluate {fetched.ref.name}/{fetched.ref.version}"
    if ended.stopped is not None:
        msg = f"{evaluation.evaluator} was stopped: {ended.stopped}"
        raise NotMeasured(msg, hint=f"raise the limit in the policy if it is too low; it last said: {last}")
    if ended.status != 0:
        how = f"ended by signal {-ended.status}" if ended.status < 0 else f"failed with status {ended.status}"
        msg = f"{evaluation.evaluator} {how}: {last}"
        if last.startswith("ModuleNotFoundError"):
            hint = (
                "an evaluator finds those files of the repository alone that its policy lists under sources: list this one, or install it"
            )
            if evaluation.builtin is not None:
                hint = "install it where models are measured: the model's own library must be there"
        raise NotMeasured(msg, hint=hint)
    return _result(result, evaluation.evaluator), ended.isolation


def _result(path: Path, evaluator: str) -> dict[str, Any]:
    """What the child left: a regular file, not too large, one JSON object; raises NotMeasured otherwise."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_RESULT + 1)
    except OSError as error:
        msg = f"{evaluator} left no result, although it ended without an error"
        raise NotMeasured(msg, hint="the model or the evaluator ended the process by itself") from error
    try:
        value = json.loads(data) if len(data) <= MAX_RESULT else None
    except (ValueError, RecursionError) as error:
        msg = f"{evaluator} left a result that is not JSON"
        raise NotMeasured(msg, hint="the model or the evaluator wrote over it") from error
    if not isinstance(value, dict):
        msg = f"{evaluator} left a result that is too large, or not an object"
        raise NotMeasured(msg, hint="the model or the evaluator wrote over it")
    return value


def _replicates(value: object, counts: Counts, evaluator: str) -> bytes | None:
    """The file of resamples that the child left, once it fits the counts; None when it left none. Raises NotMeasured."""
    if value is None:
        return None
    try:
        data = base64.b64decode(value if isinstance(value, str) else "*", validate=True)
        read_replicates(data, counts)
    except (binascii.Error, ValueError, ReplicatesError) as error:
        told = error.message if isinstance(error, PromotionError) else "they are not base64"
        msg = f"{evaluator} left resamples that cannot be used: {told}"
        raise NotMeasured(msg, hint="the model or the evaluator wrote over them") from error
    return data


def _versions(value: object) -> dict[str, str]:
    """What the child says of its libraries: untrusted, so short plain text alone."""
    if not isinstance(value, dict):
        return {}
    pairs = [(name, version) for name, version in value.items() if isinstance(name, str) and isinstance(version, str)]
    return {name: version for name, version in sorted(pairs)[:50] if f"{name}{version}".isprintable() and len(name) + len(version) <= 200}


def _hardware(share: Share) -> dict[str, str]:
    """The machine, and how many threads measured: times on fewer are not those of the same machine on more."""
    found = {"machine": platform.machine(), "processor": _processor(), "system": platform.system(), "cpus": str(os.cpu_count() or 0)}
    return found if share.threads is None else {**found, "threads": confine.threads_of(share.threads)}


@cache
def _processor() -> str:
    """The processor's model: two machines of as many processors need not be as fast as each other."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or "unknown"
