"""Artifacts in object stores and elsewhere, fetched by MLflow's own clients."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promotion.errors import PromotionError, Unavailable
from promotion.registry.addresses import shortened, without_credentials
from promotion.registry.artifacts import collect, local_contents
from promotion.registry.interface import Artifact


def collect_remote(location: str, tracking_uri: str, into: Path | None) -> Artifact:
    """Download by ``mlflow.artifacts`` into a temporary folder, hash, and keep below ``into`` when given.

    The folder lies beside ``into`` where there is one, since system temporary folders are often small.
    """
    shown = without_credentials(location)
    beside = None if into is None else into.parent
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".promotion-", dir=beside) as folder, _asking(shown):
        import mlflow.artifacts

        path = Path(mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=folder, tracking_uri=tracking_uri))
        return collect(local_contents(path), where=shown, into=into)


@contextmanager
def _asking(shown: str) -> Iterator[None]:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        yield
    except PromotionError:
        raise
    # Every store has errors of its own (botocore, azure, hdfs, plugins), and none of them is ours.
    except Exception as error:
        msg = f"cannot fetch {shown}: {shortened(f'{type(error).__name__}: {error}')}"
        raise Unavailable(msg, hint="install the client of this store and check its credentials") from error
