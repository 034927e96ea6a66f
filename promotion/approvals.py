"""Approvals: signed tags that say which change somebody agreed to; made by ``promotion approve``, read back for the gate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from promotion.changes import Change, ChangeKind
from promotion.errors import InvalidFiles, UsageError
from promotion.gates.interface import Approval, Approvals, Unknown
from promotion.git import Identity
from promotion.journal import EntryKind
from promotion.journal.fields import DIGEST, Fields, Malformed, document, moment
from promotion.journal.trust import named_keys
from promotion.repository import Layout, at, desired_at

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.git.tags import Tag
    from promotion.pulls import PullRequest
    from promotion.survey import Survey, Workspace
    from promotion.verdicts import Decision

SCHEMA = "promotion/approval/v1"
PREFIX = "promotion-approval"
_MOST_COMMITS = 200
_MOST_TAGS = 200


class Reader:
    """Reads what was approved of one survey; ``before`` is the commit whose rules judge beside those of ``commit``."""

    def __init__(self, workspace: Workspace, found: Survey, commit: str, before: str | None) -> None:
        self._workspace, self._found, self._commit = workspace, found, commit
        path = f"{workspace.layout.policies}/allowed_signers"
        self._signers = tuple(dict.fromkeys(workspace.git.read(one, path) or b"" for one in (commit, before) if one is not None))
        entry = found.state.entry
        unfinished = (entry.plan,) if entry is not None and entry.kind is EntryKind.INTENT and entry.plan is not None else ()
        self._plans = (found.plan.digest, *unfinished)
        self._tags = cache(self._read_tags)

    def of(self, change: Change) -> Approvals | Unknown:
        """Every approval of this plan that speaks of this change, and what it must say; raises what git and the remote raise."""
        if not all(named_keys(one) for one in self._signers):
            path, hint = f"{self._workspace.layout.policies}/allowed_signers", "add the approvers' keys to it"
            if named_keys(self._signers[0]):
                path, hint = f"{path} at the last applied commit", "let the commit that adds them be applied by itself, then promote"
            return Unknown(f"{path} names no key, so nobody can approve", hint)
        sha = declared_by(self._workspace.git, self._workspace.layout.files, self._commit, change)
        pulls = self._workspace.pulls.get(sha or "", ())
        found = tuple(self._approval(name, tag, change) for name, tag in sorted(self._tags().items()))
        approvals = (*(one for one in found if one is not None), *self._reviews(pulls, change))
        return Approvals(
            plans=self._plans,
            repository=self._found.state.root or "",
            registry=self._found.observed.registry,
            policies=self._found.declaration.policies.digest,
            used=self._used(change) if approvals else None,
            authors=self._authors(sha, pulls),
            found=approvals,
        )

    def _read_tags(self) -> Mapping[str, Tag | None]:
        """The tags of these plans: at the remote, where there is one."""
        git, remote = self._workspace.git, self._workspace.journal.remote
        found: dict[str, Tag | None] = {}
        for plan in self._plans:
            there, here = f"refs/tags/{PREFIX}/{plan}/", f"refs/promotion/approvals/{plan}/"
            if remote is not None:
                git.fetch(remote, f"+{there}*:{here}*")
                found |= {name.replace(here, there, 1): tag for name, tag in git.tags(here).items()}
            else:
                found |= git.tags(there)
        return dict(sorted(found.items())[:_MOST_TAGS])

    def _approval(self, ref: str, tag: Tag | None, change: Change) -> Approval | None:
        """What one tag says of this change; None where it speaks of others alone."""
        name = ref.removeprefix("refs/tags/")
        nothing = Approval(name, (), "", "", "", "", None, "", (), datetime.fromtimestamp(0, self._workspace.now().tzinfo))
        if tag is None or tag.name != name:
            return _with(nothing, "no annotated tag of this name")
        names: set[str] = set()
        for signers in self._signers:
            signature = self._workspace.git.show_tagger(tag.sha, signers)
            if not signature.good:
                return _with(nothing, "not signed by a key that policies/allowed_signers allows, now and at the last applied commit")
            names |= {signature.principal, *named_keys(signers).get(signature.fingerprint, ())}
        try:
            return _decoded(name, tag.message, change, tuple(sorted(names)))
        except Malformed as error:
            return _with(nothing, f"its message cannot be read: {error}")

    def _used(self, change: Change) -> str | None:
        """The journal's entry that says that this plan was applied to this binding already."""
        for one in self._workspace.journal.entries(model=change.model):
            if one.entry.kind is not EntryKind.OUTCOME or one.entry.plan not in self._plans:
                continue
            if any((done.model, done.environment) == (change.model, change.environment) for done in one.entry.changes):
                return one.sha
        return None

    def _reviews(self, pulls: tuple[PullRequest, ...], change: Change) -> Iterator[Approval]:
        """What reviews of the pull requests that brought the declaration approve: what the file and the rules said there."""
        for pull in pulls:
            for login, commit in pull.approved:
                told = Approval(
                    tag=f"review by {login} of pull request {pull.number}",
                    principals=self._known_as(login),
                    plan=self._found.plan.digest,
                    repository=self._found.state.root or "",
                    registry=self._found.observed.registry,
                    policies=self._found.declaration.policies.digest,
                    before=None,
                    after="",
                    evidence=(),
                    expires=datetime.max.replace(tzinfo=UTC),
                    review=True,
                )
                if not told.principals:
                    yield _with(told, f"policies/allowed_signers does not name {login}")
                elif commit != pull.head:
                    yield _with(told, f"of commit {commit[:12]}, and {pull.head[:12]} came after it")
                else:
                    yield self._reviewed(told, commit, change)

    def _reviewed(self, told: Approval, commit: str, change: Change) -> Approval:
        """A review counts for what main declares and judges by only if the commit that was looked at did so too."""
        git, layout = self._workspace.git, self._workspace.layout
        try:
            there = at(git, git.resolve(commit), layout)
        except UsageError as error:
            return _with(told, f"commit {commit[:12]} cannot be looked at: {error.message}")
        if declared_at(git, layout.files, commit, change) != declared_at(git, layout.files, self._commit, change):
            return _with(told, "of other lines than main declares")
        return replace(told, policies=there.policies.digest)

    def _known_as(self, login: str) -> tuple[str, ...]:
        """All names of the person whom both lists of signers know by this one; empty where one does not."""
        found: set[str] = set()
        for signers in self._signers:
            people = [names for names in named_keys(signers).values() if login.casefold() in {name.casefold() for name in names}]
            if not people:
                return ()
            found.update(name for names in people for name in names)
        return tuple(sorted(found))

    def _authors(self, sha: str | None, pulls: tuple[PullRequest, ...]) -> tuple[str, ...] | Unknown:
        """Who promotes: whom the host names, and whoever signed or wrote the commit ``sha``, which declared the version."""
        if sha is None:
            return Unknown("no commit of the history is found that declared this version", "fetch the whole history: git fetch --unshallow")
        if any(one.author is None for one in pulls):
            return Unknown("an account that is gone opened the pull request", "open it again as somebody else")
        named = (name.strip() for name in (self._workspace.author or "").split(","))
        hosts = tuple(dict.fromkeys((*filter(None, named), *(one.author for one in pulls if one.author is not None))))
        keys = [names for signers in self._signers for names in named_keys(signers).values()]
        known = {host: [name for names in keys if host.casefold() in {one.casefold() for one in names} for name in names] for host in hosts}
        if strangers := [host for host, names in known.items() if not names]:
            hint = "name them beside their key (ada@example.org,ada-l ssh-ed25519 …), so that it is known who they are not"
            return Unknown(f"policies/allowed_signers does not name {', '.join(strangers)}", hint)
        signature = self._workspace.git.show_signer(sha, self._signers[0])
        if not hosts and not signature.good:
            hint = "sign commits that promote (git config gpg.format ssh; git commit -S), or let the host tell: PROMOTION_AUTHOR"
            return Unknown(f"commit {sha[:12]}, which declared it, is not signed by a known key", hint)
        signed = {signature.principal, *named_keys(self._signers[0]).get(signature.fingerprint, ())} if signature.good else set()
        found = {*hosts, *(name for names in known.values() for name in names), *signed, self._workspace.git.commit(sha).author_mail}
        return tuple(sorted(found))


def declared_at(git: Git, files: tuple[str, ...], sha: str, change: Change) -> tuple[int | None, str | None] | None:
    """Version and pin that a commit declares of a binding; None where it declares nothing of it, or its files are wrong."""
    try:
        desired = desired_at(git, sha, Layout(files))
    except (InvalidFiles, UsageError):
        return None
    bindings = desired.of(change.model) if desired is not None else ()
    return next(((one.version, one.digest) for one in bindings if one.environment == change.environment), None)


def declared_by(git: Git, files: tuple[str, ...], commit: str, change: Change) -> str | None:
    """The newest commit in the history of ``commit`` that declared what is declared of this binding now; None where none is found."""

    @cache
    def use(sha: str) -> tuple[int | None, str | None] | None:
        return declared_at(git, files, sha, change)

    now = use(commit)
    for sha in git.log(commit, *files, limit=_MOST_COMMITS):
        if use(sha) == now and all(use(parent) != now for parent in git.commit(sha).parents):
            return sha
    return None


def make(workspace: Workspace, found: Survey, decision: Decision, commit: str, expires: datetime) -> tuple[str, str]:
    """Make the signed tag that approves this plan; returns its name and its object.

    Raises UsageError when there is nothing to approve, no key, or a key that nobody would count.
    """
    git, key = workspace.git, workspace.journal.signing_key
    promoting = [one for one in decision.judged if one.change.kind is ChangeKind.PROMOTE and one.change.after is not None]
    if not promoting:
        raise UsageError("the plan promotes nothing: there is nothing to approve")
    if unread := [one.change.model for one in promoting if one.digest is None]:
        raise UsageError(f"the bytes of {', '.join(sorted(set(unread)))} could not be read", hint="nobody can approve what is not known")
    if key is None:
        raise UsageError("an approval is signed, and there is no key", hint="name yours with --signing-key, or git config user.signingkey")
    content = {
        "schema": SCHEMA,
        "repository": found.state.root or "",
        "registry": found.observed.registry,
        "plan": found.plan.digest,
        "policies": found.declaration.policies.digest,
        "expires": moment(expires.replace(microsecond=0)),
        "changes": [_change(one.change, found, one.digest or "", one.evidence) for one in promoting],
    }
    who = git.user()
    name = f"{PREFIX}/{found.plan.digest}/{hashlib.sha256(who.encode()).hexdigest()[:12]}"
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    sha = git.make_tag(name, commit, text, who=Identity.parse(who), at=workspace.now(), key=key)
    signers = git.read(commit, f"{workspace.layout.policies}/allowed_signers") or b""
    if not git.show_tagger(sha, signers).good:
        git.delete_tag(name)
        raise UsageError(f"this key is not in {workspace.layout.policies}/allowed_signers of this commit", hint="nobody would count it")
    return name, sha


def _change(change: Change, found: Survey, digest: str, evidence: tuple[str, ...]) -> Mapping[str, object]:
    memory = found.applied.get(change.model)
    last = memory.bindings.get(change.environment) if memory else None
    before = last.bound.digest if last is not None and last.bound is not None else None
    names = {"model": change.model, "environment": change.environment, "version": change.after}
    return {**names, "before": before, "after": digest, "evidence": list(evidence)}


def _decoded(name: str, message: str, change: Change, principals: tuple[str, ...]) -> Approval | None:
    """The part of a tag's message that speaks of this change; raises Malformed for any other form."""
    fields = Fields(document(message.encode()))
    if fields.text("schema") != SCHEMA:
        fields.fail("schema", f"is not {SCHEMA}")
    repository, registry = fields.text("repository"), fields.text("registry")
    plan, policies, expires = fields.text("plan", DIGEST), fields.text("policies", DIGEST), fields.time("expires")
    rows = fields.each("changes", _row)
    fields.done()
    for model, environment, before, after, evidence in rows:
        if (model, environment) == (change.model, change.environment):
            return Approval(name, principals, plan, repository, registry, policies, before, after, evidence, expires)
    return None


def _row(fields: Fields) -> tuple[str, str, str | None, str, tuple[str, ...]]:
    fields.number("version")
    before = fields.optional("before", lambda name: fields.text(name, DIGEST))
    return fields.text("model"), fields.text("environment"), before, fields.text("after", DIGEST), fields.texts("evidence", DIGEST)


def _with(approval: Approval, fault: str) -> Approval:
    return replace(approval, fault=fault)
