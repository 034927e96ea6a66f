"""Rulings on versions: where they come from, what they hold, where they were before."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from promotion.domain import Bound, VersionIdentity
from promotion.gates.interface import (
    Column,
    Facts,
    Format,
    Lineage,
    Signature,
)
from promotion.registry.interface import Artifact, Run
from tests.promotion.gates.rows import ERRORED, FAILED, HEAL, INCONCLUSIVE, PASSED, ROLLBACK, WARNED, Rows
from tests.promotion.gates.samples import (
    DIGEST,
    NAME,
    OTHER,
    OUT_OF_REACH,
    applied,
    binding,
    change,
    facts,
    passed,
    with_version,
)

RUN = Run("run1", "FINISHED", "ci", {"lr": "1e-3"}, {"f1": 0.9, "recall": math.nan}, {})
RECREATED = VersionIdentity(1_800_000_000_000, "models:/m-2", "run2")
SERVING = applied(bindings={"production": binding(Bound(4, DIGEST), previous=Bound(3, OTHER))})
BEFORE_THIS = applied(bindings={"production": binding(Bound(5, OTHER), previous=Bound(4, DIGEST))})
REPLACED = applied(bindings={"staging": binding(Bound(5, OTHER), previous=Bound(4, DIGEST))})
ADOPTED = applied(bindings={"staging": binding(Bound(4, DIGEST), adopted=True, evidence=())}, passed={})
ADOPTED_OTHER = applied(bindings={"staging": binding(Bound(4, OTHER), adopted=True, evidence=())}, passed={})
LONG_GONE = applied(bindings={"staging": binding(Bound(6, OTHER), previous=Bound(5, OTHER))})
STAGING_FIRST: Rows = [
    ({}, facts(), PASSED, "applied in staging"),
    ({"soak": "24h"}, facts(), PASSED, "applied in staging"),
    ({"soak": 48 * 3600}, facts(applied=applied(bindings={})), PASSED, "applied in staging"),
    ({"soak": "2d1s"}, facts(applied=applied(bindings={})), INCONCLUSIVE, "for 2d"),
    ({"soak": "1m"}, facts(applied=applied(passed={"staging": {DIGEST: passed(hours=-1)}})), INCONCLUSIVE, "for 0s"),
    # Passed two days ago, and brought back by a rollback yesterday: it was out in between.
    ({"soak": "36h"}, facts(), INCONCLUSIVE, "in staging for 1d"),
    # Two days ago it came, yesterday another took its place; or others came since, so that nobody knows when it left.
    ({"soak": "24h"}, facts(applied=REPLACED), PASSED, "applied"),
    ({"soak": "25h"}, facts(applied=REPLACED), INCONCLUSIVE, "until 2026-10-01"),
    ({"soak": "1h"}, facts(applied=LONG_GONE), INCONCLUSIVE, "do not tell"),
    ({}, facts(applied=LONG_GONE), PASSED, "applied"),
    ({}, facts(applied=None), FAILED, "no passing entry"),
    ({}, facts(applied=applied(passed={})), FAILED, "no passing entry"),
    ({}, facts(applied=applied(passed={"staging": {OTHER: passed()}})), FAILED, "no passing entry"),
    (
        {},
        facts(applied=applied(bindings={"staging": binding(Bound(4, OTHER))}, passed={"staging": {OTHER: passed()}})),
        FAILED,
        "other bytes",
    ),
    ({}, facts(applied=applied(passed={"production": {DIGEST: passed()}})), FAILED, "no passing entry"),
    # Found in staging when the registry was adopted: it counts where the rule says so, for as long as it was there since.
    ({}, facts(applied=ADOPTED), FAILED, "adopted in staging, never judged there"),
    ({"adopted": True}, facts(applied=ADOPTED), PASSED, "adopted in staging on 2026-10-01"),
    ({"adopted": True, "soak": "23h"}, facts(applied=ADOPTED), PASSED, "adopted in staging"),
    ({"adopted": True, "soak": "25h"}, facts(applied=ADOPTED), INCONCLUSIVE, "in staging for 1d"),
    ({"adopted": True}, facts(applied=ADOPTED_OTHER), FAILED, "other bytes"),
    ({"adopted": True}, facts(applied=applied(passed={})), FAILED, "no passing entry"),
    ({"adopted": True}, facts(), PASSED, "applied in staging"),
    ({}, facts(applied=applied(passed={"staging": {DIGEST: passed(evidence=())}})), FAILED, "without evidence"),
    ({}, facts(applied=applied(bindings={"staging": binding(Bound(4, DIGEST), adopted=True)}, passed={})), FAILED, "adopted"),
    ({}, facts(stages_before=("staging", "canary")), FAILED, "canary"),
    ({}, facts(stages_before=()), ERRORED, "nothing comes before"),
    ({}, facts(artifact=OUT_OF_REACH), ERRORED, "does not answer"),
]
METADATA: Rows = [
    ({}, facts(), PASSED, "all present"),
    ({"tags": ["dataset"], "params": ["lr"], "metrics": ["f1"]}, facts(), PASSED, "all present"),
    ({}, with_version(description=" \n"), FAILED, "description"),
    ({"description": False}, with_version(description=""), PASSED, "all present"),
    ({}, with_version(tags={"dataset": " "}), FAILED, "tag dataset, tag architecture, tag date"),
    ({"params": ["lr", "epochs"]}, facts(), FAILED, "parameter epochs"),
    ({"metrics": ["recall"]}, facts(run=RUN), FAILED, "metric recall"),
    ({}, facts(run=Run("run1", "FINISHED", None, {}, {}, {})), FAILED, "any parameter, any metric"),
    (
        {},
        facts(run=Run("run1", "FINISHED", None, {"seed": " "}, {"f1": math.nan, "loss": math.inf}, {})),
        FAILED,
        "any parameter, any metric",
    ),
    ({}, facts(version=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(run=OUT_OF_REACH), ERRORED, "does not answer"),
]
LINEAGE: Rows = [
    ({}, facts(), PASSED, "v1.0.0"),
    ({}, facts(lineage=Lineage("v1", "a" * 64, "c" * 40, "run1", ("the run run1 does not exist",))), FAILED, "does not exist"),
    ({}, facts(lineage=Lineage(None, "a" * 64, "c" * 40, "run1", ())), ERRORED, "incomplete"),
    ({}, facts(lineage=OUT_OF_REACH), ERRORED, "does not answer"),
    ({"repository": "https://git.example.org/train"}, facts(), ERRORED, "was not looked at"),
    ({"repository": "https://git.example.org/train"}, facts(lineages={"https://git.example.org/train": facts().lineage}), PASSED, "v1.0.0"),
]
PICKLED = Format("mlflow.sklearn", "pickle", ("model.pkl: a pickle",), ("model.pkl: a pickle",))
FORMATS: Rows = [
    ({}, facts(), PASSED, "pt2"),
    ({"allow": ["xgboost"]}, facts(), FAILED, "'pt2' is not an allowed kind"),
    ({"loaders": ["mlflow.xgboost"]}, facts(), FAILED, "mlflow.pytorch"),
    ({}, facts(format=Format("mlflow.pyfunc.model", "pt2", ())), FAILED, "mlflow.pyfunc.model"),
    ({}, facts(format=Format(None, "pt2", ())), FAILED, "names no loader_module"),
    ({}, facts(format=Format("mlflow.pytorch", "pt2", ("data/x: a pickle",))), FAILED, "data/x: a pickle"),
    ({}, facts(format=Format("mlflow.pytorch", "pickle", ())), FAILED, "'pickle'"),
    ({"pickle": [NAME]}, facts(format=PICKLED), WARNED, "runs code where it is measured and loaded (model.pkl: a pickle)"),
    ({"pickle": ["another"]}, facts(format=PICKLED), FAILED, "model.pkl: a pickle"),
    ({"pickle": [NAME]}, facts(format=replace(PICKLED, pickles=())), FAILED, "model.pkl: a pickle"),
    ({"pickle": [NAME]}, facts(format=replace(PICKLED, kind="pickle+pt2")), FAILED, "model.pkl: a pickle"),
    ({"pickle": [NAME]}, facts(format=replace(PICKLED, loader_module="mlflow.pyfunc.model")), FAILED, "mlflow.pyfunc.model"),
    ({"pickle": [NAME]}, facts(format=replace(PICKLED, findings=(*PICKLED.findings, "code/: a code folder"))), FAILED, "code/: a code"),
    ({"pickle": [NAME]}, facts(), PASSED, "pt2 loaded by mlflow.pytorch"),
    ({}, facts(format=Format("mlflow.pytorch", "pt2+xgboost", ())), FAILED, "pt2+xgboost"),
    ({}, facts(format=OUT_OF_REACH), ERRORED, "does not answer"),
]
DIGESTS: Rows = [
    ({}, facts(), PASSED, DIGEST),
    ({}, facts(change=change(digest=DIGEST)), PASSED, DIGEST),
    ({}, facts(change=change(digest=OTHER)), FAILED, DIGEST),
    ({}, facts(artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(version=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(applied=None), PASSED, DIGEST),
    # The file was replaced after staging had it; a version that was created again is another one, judged anew.
    ({}, facts(artifact=Artifact(OTHER, ())), FAILED, OTHER),
    (
        {},
        facts(artifact=Artifact(OTHER, ()), applied=applied(bindings={"staging": binding(Bound(4, DIGEST), identity=RECREATED)})),
        PASSED,
        OTHER,
    ),
    ({}, facts(change=HEAL, applied=SERVING), PASSED, DIGEST),
    ({}, facts(change=HEAL, applied=SERVING, artifact=Artifact(OTHER, ())), FAILED, OTHER),
    ({}, facts(change=HEAL, applied=applied(bindings={"production": binding(Bound(4, DIGEST), identity=RECREATED)})), FAILED, DIGEST),
    ({}, facts(change=HEAL, applied=None), ERRORED, DIGEST),
    ({}, facts(change=ROLLBACK, applied=BEFORE_THIS), PASSED, DIGEST),
    ({}, facts(change=ROLLBACK, applied=BEFORE_THIS, artifact=Artifact(OTHER, ())), FAILED, OTHER),
    ({}, facts(change=ROLLBACK, applied=SERVING), ERRORED, DIGEST),
]
DURATION, BYTES, SCORE = Column("duration", "double"), Column("bytes", "long"), Column(None, "float")


def columns(*inputs: Column, output: Column = SCORE, mine: Signature | None = None, **given: Any) -> Facts:
    """Facts beside a version in production that takes these."""
    return facts(signatures={"production": Signature(inputs, (output,))}, **({"signature": mine} if mine else {}), **given)


SIGNATURE: Rows = [
    ({}, columns(DURATION, BYTES), PASSED, "2 inputs and 1 outputs agree"),
    ({}, columns(BYTES, DURATION), PASSED, "agree"),
    ({"order": True}, columns(BYTES, DURATION), FAILED, "inputs stand in another order, from duration on"),
    ({}, columns(DURATION, BYTES, Column("packets", "long")), FAILED, "input packets is gone"),
    ({"allow_removed": ["pack*"]}, columns(DURATION, BYTES, Column("packets", "long")), PASSED, "agree"),
    ({"allow_added": ["packets"]}, columns(DURATION, BYTES, Column("packets", "long")), FAILED, "input packets is gone"),
    ({}, columns(DURATION), FAILED, "input bytes (long) is new"),
    ({"allow_added": ["bytes"]}, columns(DURATION), PASSED, "agree"),
    ({}, columns(DURATION, mine=Signature((DURATION, replace(BYTES, required=False)), (SCORE,))), PASSED, "agree"),
    ({}, columns(DURATION, replace(BYTES, required=False)), FAILED, "input bytes was long (optional) and is long"),
    ({}, columns(DURATION, replace(BYTES, type="double")), FAILED, "input bytes was double and is long"),
    ({"allow_changed": ["bytes"]}, columns(DURATION, replace(BYTES, type="double")), PASSED, "agree"),
    ({}, columns(DURATION, BYTES, output=Column(None, "string")), FAILED, "output #1 was string and is float"),
    ({"outputs": False}, columns(DURATION, BYTES, output=Column(None, "string")), PASSED, "agree"),
    ({}, columns(Column(None, "double")), FAILED, "input #1 is gone"),
    ({}, facts(), PASSED, "nothing is applied in production"),
    ({"against": "staging"}, columns(DURATION), PASSED, "nothing is applied in staging"),
    ({}, facts(signature=Signature(None, None)), FAILED, "no signature of inputs"),
    ({}, facts(signature=Signature((DURATION,), None)), FAILED, "no signature of outputs"),
    ({}, facts(signatures={"production": OUT_OF_REACH}), ERRORED, "the version in production: the registry does not answer"),
    ({}, columns(DURATION, BYTES, signature=OUT_OF_REACH), ERRORED, "does not answer"),
]
