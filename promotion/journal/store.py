"""Read the journal's newest entry, and append so that of several who try only one can win."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from promotion.errors import JournalError, UsageError
from promotion.git import Identity
from promotion.journal.audit import audit, check_signatures
from promotion.journal.chain import Link, links
from promotion.journal.codec import evidence_folder
from promotion.journal.draft import check, files, message
from promotion.journal.fields import Malformed
from promotion.journal.model import Entry, Fault, Hold, Origin, Recorded, Statement
from promotion.journal.place import Place
from promotion.journal.state import State
from promotion.journal.trust import Signers, Trust, complaint
from promotion.journal.waiting import TAG, pack, unpack

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.git import Git, Signature

_CHUNK = 200


class Journal:
    """The branch ``promotion-journal`` of a remote, or of this repository alone when ``remote`` is None.

    ``signing_key`` is an SSH key in a file; it is needed once ``signers_path`` at main names who may sign. ``main`` is the name of
    the branch that vouches for signers.
    """

    def __init__(
        self,
        git: Git,
        *,
        remote: str | None,
        branch: str = "promotion-journal",
        signing_key: Path | None = None,
        signers_path: str = "policies/allowed_signers",
        main: str = "main",
    ) -> None:
        self.git = git
        self.remote = remote
        self.branch = branch
        self.signing_key = signing_key
        self.signers_path = signers_path
        self._place = Place(git, remote, branch, main)

    def read(self, *, fetch: bool = True) -> State:
        """The newest entry, its signature verified; costs the same whatever the number of entries.

        ``fetch`` False reads what was fetched last. Raises Unavailable when the remote does not answer, JournalError when the
        entry is malformed or not by an allowed signer, or when the branch is not a continuation of what this clone saw before.
        """
        found = self._place.fetch() if fetch else self._place.known()
        if found.head is None:
            return State(self.git, main=found.main)
        state = self._verified(found.head, found.main)
        self._place.saw(found, found.head)
        return state

    def tip(self) -> str | None:
        """The newest entry's commit, not fetched and not verified: whether there is anything to read. Raises Unavailable."""
        if self.remote is not None:
            return self.git.tip(self.remote, self.branch)
        return self._place.known().head

    def append(
        self,
        state: State,
        entry: Entry,
        *,
        applied: Mapping[str, AppliedModel] | None = None,
        evidence: Iterable[Statement] = (),
        holds: Mapping[str, tuple[Hold, ...]] | None = None,
    ) -> State:
        """Record an entry after ``state``, with the new memory of the models in ``applied``, statements, and all holds of models.

        Raises Conflict when somebody was faster (who, and since when), Unavailable when the remote does not answer and it cannot
        be known whether the entry arrived (reading again tells), UsageError when the entry must be signed and this key may not,
        JournalError for an entry that does not follow ``state`` or does not say what changes.
        """
        made, _ = self._made(state, entry, applied, evidence, holds)
        self._place.publish(made.head or "", state.head)
        return made

    def leave(
        self, state: State, entry: Entry, *, applied: Mapping[str, AppliedModel], holds: Mapping[str, tuple[Hold, ...]]
    ) -> tuple[State, dict[str, str]]:
        """Sign an entry while the remote does not answer; returns it with the tags in which it waits to be pushed.

        Raises as ``append``, and UsageError where the journal is unsigned: whoever may set a tag could then write it.
        """
        made, files = self._made(state, entry, applied, (), holds)
        if not made.signed:
            raise UsageError("an unsigned entry cannot wait in the registry", hint="trust a key in policies/allowed_signers")
        return made, pack(self.git.read_commit(made.head or ""), files)

    def deliver(self, state: State, tags: Mapping[str, str]) -> State:
        """Push the entry that waits in these tags. Raises as ``accept`` and ``append``."""
        found = self.accept(state, tags)
        if found.head is not None and found.head != state.head:
            self._place.publish(found.head, state.head)
        return found

    def accept(self, state: State, tags: Mapping[str, str]) -> State:
        """The journal with the entry that waits in these tags, which nobody sees yet; ``state`` where it has that entry already.

        Raises JournalError for an entry that does not verify, or that the journal went on without.
        """
        hint = f"see who may set tags, and promotion drift; then remove the tag {TAG} of the model"
        try:
            content, changed = unpack(tags)
            sha = self.git.write_commit(content)
        except (Malformed, UsageError) as error:
            raise JournalError(f"the entry that waits in the registry cannot be read: {error}", hint=hint) from error
        if state.head is not None and sha in self.git.first_parents(state.head):
            return state
        link = links(self.git, (sha,))[0]
        if link is None or link.parents != (() if state.head is None else (state.head,)):
            raise JournalError(
                f"the journal went on without entry {sha[:12]}, which waited in the registry",
                hint=f"promotion history shows what was recorded instead; roll back again if need be, and remove the tag {TAG}",
            )
        tree = self.git.make_tree(state.head, changed)
        if not content.startswith(f"tree {tree}\n".encode()):
            raise JournalError(f"the files of entry {sha[:12]}, which waits in the registry, are not those it was signed with", hint=hint)
        if faults := audit(self.git, self._trust(state.main), sha, since=state.head):
            raise JournalError(f"the entry that waits in the registry does not verify: {faults[0]}", hint=hint)
        found = self._verified(sha, state.main)
        if not found.signed:
            raise JournalError(f"entry {sha[:12]}, which waits in the registry, is not signed", hint=hint)
        return found

    def _made(
        self,
        state: State,
        entry: Entry,
        applied: Mapping[str, AppliedModel] | None,
        evidence: Iterable[Statement],
        holds: Mapping[str, tuple[Hold, ...]] | None,
    ) -> tuple[State, dict[str, bytes | None]]:
        """The state with this entry, which nobody sees yet, and the files that it writes."""
        memory = dict(applied or {})
        check(state, entry, memory)
        signers = self._may_sign(state, entry)
        key = self.signing_key if signers is not None else None
        changed = files(entry, state.root, memory, evidence, holds or {})
        tree = self.git.make_tree(state.head, changed)
        parents = () if state.head is None else (state.head,)
        sha = self.git.commit_tree(tree, parents, message(entry), who=Identity.parse(entry.by), at=entry.at, key=key)
        signature = self._own_signature(sha, signers)
        signer = signature.principal if signature else None
        return replace(state, head=sha, root=state.root or sha, entry=entry, signed=signer is not None, signer=signer), changed

    def entries(self, *, model: str | None = None, until: datetime | None = None) -> Iterator[Recorded]:
        """Entries as this clone knows them, newest first: those that concern a model, and are not after a time.

        Raises JournalError at the first malformed one.
        """
        for link in self._walk():
            entry = link.sound
            if (until is not None and entry.at > until) or (model is not None and model not in _models(entry)):
                continue
            yield Recorded(link.sha, entry)

    def after(self, sha: str) -> Iterator[Recorded]:
        """Entries after one, newest first; ``"none"`` stands before the first. Raises UsageError, at its end, where there is no such."""
        for one in self.entries():
            if one.sha == sha:
                return
            yield one
        if sha != "none":
            raise UsageError(
                f"the journal has no entry {sha:.40}", hint="promotion history shows its entries; 'none' stands before the first"
            )

    def state_at(self, time: datetime) -> State | None:
        """The journal as it was at a time, None before its first entry. Raises as ``read``."""
        found = self._place.known()
        if found.head is None:
            return None
        for sha, at in self.git.dated(found.head):
            if at <= time:
                state = self._verified(sha, found.main)
                if state.entry is not None and state.entry.at <= time:
                    return state
        return None

    def verify(self, *, since: str | None = None, fetch: bool = True) -> tuple[Fault, ...]:
        """Every fault of every entry, oldest first; with ``since``, of those after that entry alone.

        Also where ``read`` refuses the newest entry. Raises Unavailable, and JournalError for a branch that was cut or replaced.
        """
        found = self._place.fetch() if fetch else self._place.known()
        return () if found.head is None else audit(self.git, self._trust(found.main), found.head, since=since)

    def signers(self, recorded: Iterable[Recorded]) -> dict[str, str]:
        """Who signed these entries, by the entry's commit; an entry without a good signature is left out."""
        trust = self._trust(self._place.known().main)
        shas = [one.sha for one in recorded]
        pairs = zip(links(self.git, shas), links(self.git, [f"{sha}^" for sha in shas]), strict=True)
        checked = [one for link, before in pairs if link for one in check_signatures(self.git, trust, (link,), before)]
        return {one.link.sha: one.signature.principal for one in checked if one.signature and one.signature.good}

    def origin(self, state: State, key: str, digest: str) -> Origin | None:
        """The entry up to ``state`` that brought a statement, and who vouches for it; None when none did. Raises JournalError."""
        path = f"{evidence_folder(key)}/{digest}.json"
        touched = self.git.log(state.head, path, first_parent=True) if state.head is not None else ()
        if not touched:
            return None
        link, before = links(self.git, (touched[-1], f"{touched[-1]}^"))
        assert link is not None
        (one,) = check_signatures(self.git, self._trust(state.main), (link,), before)
        wrong = complaint(self.signers_path, one.signers, one.signature, signed=link.signed)
        fault = wrong[1] if wrong else f"the entry {touched[0][:12]} changed or removed {path} later" if len(touched) > 1 else None
        signer = one.signature.principal if one.signature and one.signature.good else None
        return Origin(Recorded(link.sha, link.sound), signer, fault)

    def _trust(self, main: str | None) -> Trust:
        return Trust(self.git, self.signers_path, main)

    def _walk(self) -> Iterator[Link]:
        head = self._place.known().head
        shas = () if head is None else self.git.first_parents(head)
        for start in range(0, len(shas), _CHUNK):
            yield from (link for link in links(self.git, shas[start : start + _CHUNK]) if link is not None)

    def _verified(self, head: str, main: str | None) -> State:
        link, before = links(self.git, (head, f"{head}^"))
        if link is not None and link.parents and before is None:
            self._place.complete()
            link, before = links(self.git, (head, f"{head}^"))
        if link is None:
            raise JournalError(f"{head[:12]} is no commit", hint="promotion journal verify")
        if len(link.parents) > 1:
            raise JournalError(f"another history was merged into the journal at {head[:12]}", hint=self._place.repair(link.parents[0]))
        if link.parents and before is None:
            raise JournalError(f"the entry before {head[:12]} is missing in this clone", hint="git fetch --unshallow")
        entry = link.sound
        if before is not None and before.entry is not None and before.root != link.root:
            raise JournalError(f"{head[:12]} names another first entry than the one before it", hint=self._place.repair(before.sha))
        signer = self._signer(link, before, main)
        return State(self.git, head, link.root, entry, signer is not None, signer, main)

    def _signer(self, link: Link, before: Link | None, main: str | None) -> str | None:
        """The principal that signed an entry, None for one that need not be signed; raises JournalError for any other."""
        trust = self._trust(main)
        signers = trust.of(link.sound, before)
        signature = self.git.show_signer(link.sha, signers.content) if signers is not None and link.signed else None
        good = before.sha if before else None
        newest = f"the journal's newest entry {link.sha[:12]} ({_shown(link.sound)})"
        if (wrong := complaint(self.signers_path, signers, signature, signed=link.signed)) is not None:
            hint = self._place.repair(good)
            if self.git.is_shallow():
                hint = f"a shallow clone asks main's newest commit alone: git fetch --unshallow, then try again; if it stays: {hint}"
            raise JournalError(f"{newest} does not verify: {wrong[1]}", hint=hint)
        if signers is None and (older := self.git.signed(link.sha)):
            raise JournalError(
                f"{newest} is not signed, although {older[0][:12]} before it is",
                hint=f"{self._place.repair(older[0])}; if {self.signers_path} was removed from main, put it back",
            )
        return signature.principal if signature is not None else None

    def _may_sign(self, state: State, entry: Entry) -> Signers | None:
        """The signers that the next entry is judged by; raises UsageError when it must be signed and there is no key."""
        before = links(self.git, (state.head,))[0] if state.head is not None else None
        signers = self._trust(state.main).of(entry, before)
        if signers is not None and self.signing_key is None:
            raise UsageError(
                f"the journal must be signed, as {self.signers_path} of commit {signers.commit[:12]} says, and there is no key",
                hint="name the key with --signing-key or PROMOTION_SIGNING_KEY_FILE",
            )
        return signers

    def _own_signature(self, sha: str, signers: Signers | None) -> Signature | None:
        """Look at the own signature as everybody will, before anybody can see it."""
        if signers is None:
            return None
        signature = self.git.show_signer(sha, signers.content)
        if (wrong := complaint(self.signers_path, signers, signature, signed=True)) is not None:
            raise UsageError(
                f"this entry would not verify: {wrong[1]}",
                hint="sign with an allowed key; a new one counts once the commit that adds it was recorded with an old one",
            )
        return signature


def _models(entry: Entry) -> set[str]:
    return {change.model for change in entry.changes} | {refusal.model for refusal in entry.refusals}


def _shown(entry: Entry) -> str:
    return f"{entry.kind} by {entry.by}, {entry.at:%Y-%m-%d %H:%M:%S} UTC"
