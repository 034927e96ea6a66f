"""formats: the artifact holds nothing that runs code when it is loaded.

Judged by the content of every file, never by its name, before anything is loaded: the kind must be on the list, MLflow's
loader must be one of its own flavours on the list, and there must be no pickle, no code, no symbolic link, no archive within
an archive (but for the one that each pt2 has, whose small pickle may hold tensors alone) and no path that leads outside.
No policy can leave this out: without a rule, the lists below apply.

``pickle`` names models (no patterns) of which a file that calls itself a pickle (``.pkl``, ``.pickle``) is loaded all the same, by
mlflow.sklearn. Whoever may register a version of such a model then runs code wherever it is measured and served, so the verdict is
never more than a warning; ``promotion serve`` loads no pickle whatever a policy says. Better: export to ONNX, or XGBoost's own format.

Sample (policies/staging.yaml):
    rules:
      - gate: formats
        allow: [pt2]
        loaders: [mlflow.pytorch]

Passes: a torch.export archive logged by mlflow.pytorch.
Fails: a pickle named ``model.pt2``; a ``code`` folder; ``loader_module: mlflow.pyfunc.model``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status

Kind = Literal["pt2", "xgboost", "onnx", "lightgbm"]
Loader = Literal["mlflow.pytorch", "mlflow.xgboost", "mlflow.onnx", "mlflow.lightgbm"]
PICKLE, UNPICKLED_BY = "pickle", "mlflow.sklearn"


class Parameters(interface.Parameters):
    """``allow``: kinds of artifact; ``loaders``: values of ``loader_module`` in MLmodel; ``pickle``: models whose pickles may be loaded."""

    allow: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)] = ("pt2", "xgboost", "onnx", "lightgbm")
    loaders: Annotated[tuple[Loader, ...], Field(strict=False, min_length=1)] = (
        "mlflow.pytorch",
        "mlflow.xgboost",
        "mlflow.onnx",
        "mlflow.lightgbm",
    )
    pickle: Annotated[tuple[Annotated[str, Field(pattern=r"^[^*?\[\]]+$")], ...], Field(strict=False)] = ()


class Formats:
    """Refuses artifacts that could run code on loading."""

    name: ClassVar[str] = "formats"
    summary: ClassVar[str] = "the artifact's content is of an allowed kind: no pickle, no code"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when the artifact could not be read, FAILED with every finding."""
        expected = f"{' or '.join(rule.allow)} loaded by {' or '.join(rule.loaders)}, nothing that runs code"
        form = facts.format
        if isinstance(form, Unknown):
            return Ruling(Status.ERRORED, expected, form.reason, form.hint)
        pickled = facts.change.model in rule.pickle
        problems = refusals(form, rule, pickled=pickled)
        if problems:
            return Ruling(
                Status.FAILED, expected, "; ".join(problems), "log the model as pt2, or in the library's own format, without code_paths"
            )
        got = f"{form.kind} loaded by {form.loader_module}"
        if pickled and form.pickles:
            got = f"{got}: whoever may register a version of this model runs code where it is measured and loaded ({form.pickles[0]})"
            return Ruling(
                Status.WARNED, expected, got, "log it in a format that runs no code, then take it out of the rule's list 'pickle'"
            )
        return Ruling(Status.PASSED, expected, got)


def refusals(form: interface.Format, rule: Parameters | None = None, *, pickled: bool = False) -> tuple[str, ...]:
    """Every reason why an artifact of this form must not be loaded; empty where it may be.

    ``pickled``: a policy names the model as one whose pickles may be loaded.
    """
    rule = rule or Parameters()
    if pickled and form.pickles and form.loader_module == UNPICKLED_BY and form.kind == PICKLE:
        return tuple(one for one in form.findings if one not in form.pickles)
    problems = list(form.findings)
    if form.kind not in rule.allow:
        problems.append(f"{form.kind!r} is not an allowed kind")
    if form.loader_module is None:
        problems.append("MLmodel names no loader_module")
    elif form.loader_module not in rule.loaders:
        problems.append(f"loader_module {form.loader_module!r} is not on the list")
    return tuple(problems)
