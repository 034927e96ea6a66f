"""The page on what a person has to set on GitHub, because no file can: protections, environments, variables, secrets. Pure."""

from __future__ import annotations

from promotion.calling.workflows import CHECK

FILE = ".github/PROMOTION.md"


def page() -> str:
    """The page, as Markdown."""
    return _PAGE.replace("{check}", CHECK)


_PAGE = """\
<!-- Written by `promotion init-workflows`. -->
# What to set, so that the promotion workflows can be trusted

`GH_TOKEN=$(gh auth token) promotion init-workflows --check` looks whether the files and these protections are as they must be.

## The branch `main`

1. Require a pull request, and the review of code owners: who may change the rules is in `.github/CODEOWNERS`.
2. Require the check `{check}`. It is advice to the author: after the merge, the same gates judge again and decide.
3. Forbid force pushes and deletion.
4. Where main takes no push of a workflow, an automatic rollback opens a pull request; the registry is back already.

## The branch `promotion-journal`

The signed record of what was applied. Forbid force pushes and deletion, and require nothing else: the applying job pushes to it.

## Environments

| environment | restricted to | secrets |
|---|---|---|
| `registry-read` | no branch | `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`: a user that only reads |
| `production` | `main` | the same names, of a user that writes, and `PROMOTION_SIGNING_KEY` |
| `notify` | `main` | `PROMOTION_WEBHOOKS`, and `PROMOTION_WEBHOOK_SECRET`, where the variable `NOTIFY` is `true` |
| `github-pages` | `main` | none; where the variable `PAGES` is `true` |

`PROMOTION_SIGNING_KEY` is the private key whose public half stands in `policies/allowed_signers`. Keep all of them out of
the repository's own secrets: every branch may read those.

## Variables

`MLFLOW_TRACKING_URI`: the address of the tracking server. `PAGES`, `PAGE_FOLDER` and `NOTIFY` switch on what their names say.

## Actions

Let workflows have read rights unless a job asks for more, and let them open pull requests. The repository that is called must be public:
its code is fetched without a credential.
"""
