"""The files that a team starts with: a declaration of what is in service, and rules to begin with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from promotion.config.scalars import resolve
from promotion.domain import Environment
from promotion.inservice import InService

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_MOST_NAMED = 20

_HEAD = """\
# Which version of each registered model is in which environment. This file is the truth: change it in a pull request, and
# `promotion reconcile` makes the MLflow registry match. Rollback: revert the commit.
#
# A promotion changes one line: `promotion propose NAME staging=4`. `promotion pin NAME` adds the digest of the bytes (4@sha256:…).
# `use: none` empties an environment. What is not mentioned here is not managed: reported, never touched. No two `use` stand on
# adjacent lines, so that any of them can be reverted without the other.
# For an editor that completes this file: `promotion schema > .environments.schema.json`, and below as a first line:
#   yaml-language-server: $schema=.environments.schema.json
version: 1
"""

_STAGING = """\
# What a version needs to enter {environment}. Every rule is judged and shown; one that fails keeps the version out.
# `promotion gates` lists the gates, `promotion gates explain NAME` tells what one checks. Whatever stands here, the bytes are always
# compared with the pin and the journal (digest), holds count (hold), and nothing that runs code on loading gets in (formats).
version: 1
environment: {environment}
rules:
  - gate: formats
  # Shown, never in the way (mode: observe). Delete that line once your versions have what it asks for.
  - gate: metadata
    tags: []
    mode: observe
  # How good it is, measured again by this program. Say in evaluations.yaml how your models are measured, then:
  # - gate: bound
  #   metric: f1
  #   min: 0.8
  # Where it comes from: data version, commit, run, version.
  # - gate: lineage
"""
_LATER = """\
# What a version needs to enter {environment}.
version: 1
environment: {environment}
rules:
  # Never skip {before}: the same bytes were applied there, and measured. Without an evaluation in evaluations.yaml nothing is
  # measured, so nothing new passes this rule; `mode: observe` below it would let a version in all the same. What was in {before}
  # already when this was adopted counts.
  - gate: staging_first
    adopted: true
  - gate: formats
  # - gate: bound
  #   metric: f1
  #   min: 0.85
"""
_README = """\
# {folder}/

The rules that decide what may enter an environment: one `*.yaml` for each, and `evaluations.yaml`, which says how models are measured.
`promotion validate` checks them, `promotion gates explain NAME` tells what a gate asks for. A pull request that changes these files and
promotes a model at once is refused; on main the rules of the last applied commit judge as well as the new ones.

Measuring (`evaluations.yaml`; every path is relative to the repository):

```yaml
version: 1
evaluations:
  holdout:
    models: ["*"]
    evaluator: package.module:function   # yields counts that add up; `promotion evaluate NAME/VERSION` tries it
    sources: [package/*.py]              # the files it is made of: their hash is its identity
    lock: requirements.txt               # if there is one: with other libraries, it is measured again
    dataset: {{path: data/holdout.csv, sha256: …}}
```

For classes told from a table there is an evaluator at hand (CSV or Parquet, MLflow's pyfunc; no code of yours). For numbers,
`builtin: tabular-regression` wants `target`, the column with the true number, in place of `label`, `positive` and `output`:

```yaml
  customers:
    models: ["churn-*"]
    builtin: tabular-classification
    dataset: {{path: data/customers.csv, sha256: …}}
    label: churned
    positive: 1
    group: customer                      # rows that go together, if any: no input
    output: probability                  # or labels, or the name of a column of the model's answer
```

Signing: without `allowed_signers` the journal is unsigned, and every output says so. Make a key for the job that applies, and trust it:

```console
$ ssh-keygen -t ed25519 -f journal-key -N '' -C journal
$ echo "ci@example.org namespaces=\\"git\\" $(cut -d' ' -f1,2 journal-key.pub)" >> {folder}/allowed_signers
```

Give the private key to that job alone (`PROMOTION_SIGNING_KEY_FILE`, or `--signing-key`).
"""


def declaration(environments: Sequence[Environment] | None, models: Iterable[InService], idle: Sequence[str]) -> bytes:
    """The file that declares these models; those that are not clear stand commented out, with the reason.

    ``environments`` None leaves them out: the usual two, or those of another file. ``idle`` are models that are in no environment.
    """
    lines = [_HEAD.rstrip("\n")]
    if environments is not None:
        lines += ["environments:", *(f"  {one.name}: {{{_ways(one)}}}" for one in environments)]
    blocks = [_block(model) for model in sorted(models, key=lambda one: one.name) if model.bindings or model.unclear]
    declared = any(not line.lstrip().startswith("#") for block in blocks for line in block)
    lines += ["models:" if declared else "models: {}", *(line for block in blocks for line in block)]
    if idle:
        named = ", ".join(idle[:_MOST_NAMED]) + (f" and {len(idle) - _MOST_NAMED:,} more" if len(idle) > _MOST_NAMED else "")
        lines.append(f"  # In no environment, so not managed yet: {_comment(named)}")
    return ("\n".join(lines) + "\n").encode()


def rules(environments: Sequence[str], wanted: Iterable[str]) -> dict[str, bytes]:
    """File name → bytes: the rules to begin with for each of the ``wanted`` environments, which stand in the order of promotion."""
    found = {}
    for name in wanted:
        before = environments[: environments.index(name)]
        text = _LATER if before else _STAGING
        found[f"{name}.yaml"] = text.format(environment=quoted(name), before=" and ".join(before)).encode()
    return found


def readme(folder: str) -> bytes:
    """What the folder of the rules is for, and what to do next there."""
    return _README.format(folder=folder).encode()


def quoted(name: str) -> str:
    """A name as a key or value in YAML: in quotes unless every reader takes it for text."""
    return name if _PLAIN.fullmatch(name) and resolve(name) == name else json.dumps(name, ensure_ascii=False)


def _ways(environment: Environment) -> str:
    ways: Mapping[str, str | None] = {"stage": environment.stage, "alias": environment.alias}
    return ", ".join(f"{key}: {quoted(value)}" for key, value in ways.items() if value is not None)


def _block(model: InService) -> list[str]:
    """The lines of one model, indented as they stand below ``models``."""
    lines = [f"  {quoted(model.name)}:"]
    for environment, version in model.bindings.items():
        lines += [f"    {quoted(environment)}:", f"      use: {version}"]
    if not model.unclear:
        return lines
    reasons = [f"  # {_comment(reason)}." for reason in model.unclear]
    return [*reasons, "  # Not managed. Make the registry clear or choose here, then delete the '# ' before each line:", *map(_out, lines)]


def _out(line: str) -> str:
    return f"  # {line[2:]}"


def _comment(text: str) -> str:
    """Text that cannot end a comment, or turn the words around it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
