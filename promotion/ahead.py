"""What the changes that are judged next will need measured, begun before their turn comes: several versions at once.

Judging goes change by change, and what it finds does not depend on what was begun ahead: only the waiting is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.confine import Share

if TYPE_CHECKING:
    from promotion.abreast import Abreast
    from promotion.evidence import Evidence
    from promotion.kept import Search


@dataclass(frozen=True, slots=True)
class Need:
    """One measurement: what evidence of it is looked up by, what is told when it begins ("" for nothing), and the work."""

    key: str
    told: str
    work: Callable[[Share], Evidence]
    artifact: str = ""
    """The digest of the version's bytes."""


class Ahead:
    """What was looked for and what was begun, by the key of its evidence."""

    def __init__(self) -> None:
        self._sought: dict[str, Search] = {}
        self._begun: dict[str, Future[Evidence]] = {}

    def sought(self, key: str, found: Search) -> None:
        """Keep what a search found, for the one who asks next."""
        self._sought[key] = found

    def search(self, key: str) -> Search | None:
        """What the search ahead found, once; None where nobody searched."""
        return self._sought.pop(key, None)

    def begin(self, needs: Iterable[Need], pool: Abreast) -> tuple[Future[Evidence], ...]:
        """Have what is needed measured as soon as there is a place; each key once, whoever needs it."""
        mine = []
        for need in needs:
            if need.key not in self._begun:
                self._begun[need.key] = pool.submit(need.told, need.work)
            mine.append(self._begun[need.key])
        return tuple(mine)

    def measured(self, need: Need, report: Callable[[str], None]) -> Evidence:
        """The evidence, begun ahead or measured now; raises what measuring raises."""
        begun = self._begun.get(need.key)
        if begun is not None:
            return begun.result()
        if need.told:
            report(need.told)
        return need.work(Share(report=report))
