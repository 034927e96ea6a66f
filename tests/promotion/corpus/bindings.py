"""Bad ways of declaring and of writing to the registry."""

from __future__ import annotations

from promotion.reconcile import Options
from promotion.restore import rollback
from promotion.taking import take
from tests.promotion.corpus.way import FAILED, Bad, Way
from tests.promotion.corpus.world import telling


def skipping_staging(way: Way) -> None:
    way.declare(staging=1, production=2)


def staging_in_the_same_commit(way: Way) -> None:
    way.declare(staging=2, production=2)


def through_two_parents(way: Way) -> None:
    """Staging on one branch, production on the other: the merged file has both, and no commit of main ever had staging alone."""
    way.git("checkout", "-q", "-b", "aside")
    way.declare(staging=2, production=1)
    way.git("checkout", "-q", "main")
    way.declare(staging=1, production=2)
    way.git("merge", "-q", "-s", "ours", "--no-commit", "aside")
    way.declare(staging=2, production=2)


def bytes_replaced_after_staging(way: Way) -> None:
    way.to(staging=2, production=1)
    way.registry.replace_files(way.name, 2, telling(97))
    way.declare(staging=2, production=2)


def bytes_replaced_by_bad_ones(way: Way) -> None:
    way.to(staging=2, production=1)
    way.registry.replace_files(way.name, 2, telling(10))
    way.declare(staging=2, production=2)


def other_bytes_than_pinned(way: Way) -> None:
    way.declare(staging=f"2@sha256:{'0' * 64}", production=1)


def deleted_and_made_again(way: Way) -> None:
    """The model is deleted and registered anew: version 1 is another one, under the number that is applied."""
    pin = way.registry.artifact(way.name, 1).digest
    way.registry.delete_model(way.name)
    way.add(telling(97, seed=3))
    way.declare(staging=f"1@sha256:{pin}", production=1)


def moved_by_hand_then_declared(way: Way) -> None:
    """The registry shows it already, so nothing would have to be written: it is gated like any promotion."""
    way.by_hand(2)
    way.declare(staging=1, production=2)


def moved_by_hand_and_bad(way: Way) -> None:
    way.add(telling(30))
    way.by_hand(3)
    way.declare(staging=1, production=3)


def tags_forged(way: Way) -> None:
    """Stage, alias and every tag that a tool might believe, set through the registry's own API."""
    way.by_hand(2, "Staging", "staging")
    for key in ("promotion.staging", "approved", "Approved by", "validation_status", "gate", "promotion.digest"):
        way.registry.set_version_tag(way.name, 2, key, way.registry.artifact(way.name, 2).digest)
    way.declare(staging=1, production=2)


def adopted_not_judged(way: Way) -> None:
    """What drift --adopt journals was found, not judged."""
    way.by_hand(2, "Staging", "staging")
    take(way.workspace(), Options())
    way.commit("adopt")
    way.reconcile()
    way.declare(staging=2, production=2)


def on_hold(way: Way) -> None:
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    rollback(way.workspace(), Options(), way.name, "production", reason="it misses scans", push=False)
    way.declare(staging=2, production=2)


def regression_on_a_rare_class(way: Way) -> None:
    """Better on average, and worse where it matters."""
    way.add(telling(98, rare=17))
    way.to(staging=3, production=1)
    way.declare(staging=3, production=3)


BINDINGS = [
    Bad("staging is skipped", skipping_staging, "staging_first", FAILED, "no passing entry"),
    Bad("staging and production in one commit", staging_in_the_same_commit, "staging_first", FAILED, "no passing entry"),
    Bad("a merge of two parents", through_two_parents, "staging_first", FAILED, "no passing entry"),
    Bad("bytes replaced after staging", bytes_replaced_after_staging, "staging_first", FAILED, "other bytes"),
    Bad("bytes replaced by bad ones", bytes_replaced_by_bad_ones, "digest", FAILED, "sha256:"),
    Bad("other bytes than pinned", other_bytes_than_pinned, "digest", FAILED, "sha256:", "staging"),
    Bad("deleted and made again", deleted_and_made_again, "digest", FAILED, "sha256:", "staging"),
    Bad("moved by hand, then declared", moved_by_hand_then_declared, "staging_first", FAILED, "no passing entry"),
    Bad("moved by hand, and bad", moved_by_hand_and_bad, "bound", FAILED, "f1 = 0.3"),
    Bad("tags forged", tags_forged, "staging_first", FAILED, "no passing entry"),
    Bad("adopted in staging", adopted_not_judged, "staging_first", FAILED, "adopted in staging, never judged there"),
    Bad("on hold", on_hold, "hold", FAILED, "it misses scans"),
    Bad("worse on a rare class", regression_on_a_rare_class, "bound", FAILED, "class.rare.recall = 0.85"),
]
