"""Verify the whole branch: who signed, in which order, and that the tree changed only as each entry says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from promotion.journal.chain import Link, links
from promotion.journal.model import EntryKind, Fault
from promotion.journal.trees import tree_faults
from promotion.journal.trust import Signers, Trust, complaint

if TYPE_CHECKING:
    from promotion.git import Git, Signature

SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may be apart before an entry is said to go back in time."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One entry with the signers that it is judged by and what git says of its signature (None where it has none)."""

    link: Link
    before: Link | None
    signers: Signers | None
    signature: Signature | None


def check_signatures(git: Git, trust: Trust, chain: Sequence[Link], before: Link | None) -> tuple[Checked, ...]:
    """The signatures of consecutive entries, oldest first; ``before`` is the one in front of them. Malformed ones are left out."""
    pairs = [(link, prior) for link, prior in zip(chain, (before, *chain), strict=False) if link.entry and (prior is None or prior.entry)]
    entries = [link.entry for link in (before, *chain) if link is not None and link.entry is not None]
    trust.preload({commit for entry in entries for commit in (entry.commit, entry.recorded) if commit is not None})
    judged = [(link, prior, trust.of(link.sound, prior)) for link, prior in pairs]
    groups: dict[bytes, list[str]] = defaultdict(list)
    for link, _, signers in judged:
        if signers is not None and link.signed:
            groups[signers.content].append(link.sha)
    found = {sha: one for content, shas in groups.items() for sha, one in git.show_signers(shas, content).items()}
    return tuple(Checked(link, prior, signers, found.get(link.sha)) for link, prior, signers in judged)


def audit(git: Git, trust: Trust, head: str, *, since: str | None = None) -> tuple[Fault, ...]:
    """Every fault from the first entry (or the one after ``since``) up to ``head``, oldest first.

    Takes one process for all but the signatures, for which ssh-keygen runs twice for each entry.
    """
    shas = git.first_parents(head)
    if since is not None and since in shas:
        shas = shas[: shas.index(since)]
    chain = [link for link in links(git, tuple(reversed(shas))) if link is not None]
    before = links(git, (since,))[0] if since is not None and chain else None
    faults = [*_chain_faults(chain, before), *_signature_faults(git, trust, chain, before), *tree_faults(git, chain, Fault)]
    order = {link.sha: index for index, link in enumerate(chain)}
    return tuple(sorted(faults, key=lambda fault: order[fault.sha]))


def _chain_faults(chain: Sequence[Link], before: Link | None) -> Iterator[Fault]:
    root = before.root if before else None
    for link, prior in zip(chain, (before, *chain), strict=False):
        root = root or link.root
        if len(link.parents) > 1:
            yield Fault(link.sha, "merge", "it has two parents: another history was merged into the journal")
        if link.entry is None:
            yield Fault(link.sha, "malformed", f"it is malformed: {link.fault}")
            continue
        if link.root != root:
            yield Fault(link.sha, "root", f"it names {link.root[:12]} as the first entry, which is {root[:12]}")
        if abs(link.at - link.entry.at) > timedelta(seconds=1):
            yield Fault(link.sha, "date", f"it was committed at {link.at.isoformat()}, but says {link.entry.at.isoformat()}")
        if prior is not None and prior.entry is not None:
            yield from _order_faults(link, prior)


def _order_faults(link: Link, prior: Link) -> Iterator[Fault]:
    now, old = link.sound, prior.sound
    if now.at < old.at - SKEW:
        yield Fault(link.sha, "time", f"it is of {now.at.isoformat()}, before the entry that it follows ({old.at.isoformat()})")
    if old.kind is EntryKind.INTENT and old.id not in {now.id, now.takes_over}:
        yield Fault(link.sha, "lock", f"it neither ends nor takes over the open intent {old.id} that it follows")


def _signature_faults(git: Git, trust: Trust, chain: Sequence[Link], before: Link | None) -> Iterator[Fault]:
    signed_before = before is not None and before.signed
    for one in check_signatures(git, trust, chain, before):
        wrong = complaint(trust.path, one.signers, one.signature, signed=one.link.signed)
        if wrong is not None:
            yield Fault(one.link.sha, *wrong)
        elif signed_before and not one.link.signed:
            yield Fault(one.link.sha, "unsigned", "it is not signed, although entries before it are")
        signed_before = signed_before or one.link.signed
