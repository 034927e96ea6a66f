"""Where a server keeps artifacts: a version whose source lies elsewhere is refused before anything is fetched.

A version's source is whatever its author wrote. Fetching it would show our credentials for the object store to any bucket, and judge
bytes that the server does not keep. A server's own root, and those of its experiments, are the locations of its experiments.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from promotion.errors import UsageError
from promotion.registry.addresses import without_credentials


def check_root(location: str, roots: Iterable[str], what: str) -> None:
    """Raise UsageError unless a remote location (``s3://…``, ``gs://…``) lies below one of these locations."""
    wanted = _parts(location)
    if wanted is not None and any(_parts(root) == wanted[: len(_parts(root) or ())] for root in roots if _parts(root) is not None):
        return
    raise UsageError(
        f"the artifact of {what} lies at {without_credentials(location)}, outside the server's artifact root",
        hint="log the model to this server and register it again",
    )


def _parts(location: str) -> tuple[str, ...] | None:
    """Scheme, place and folders; None for what is no such location, or could lead out of it."""
    try:
        found = urlsplit(location)
    except ValueError:
        return None
    folders = tuple(part for part in found.path.split("/") if part)
    if not found.scheme or {".", ".."} & set(folders) or "\\" in location or "%2e" in location.lower():
        return None
    return (found.scheme.lower(), found.netloc, *folders)
