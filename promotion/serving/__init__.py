"""The API behind a promotion: serves what the journal says is applied, and swaps when it says something else.

``columns`` and ``bodies`` turn a request into checked rows, ``forward`` is a loaded model, ``loading`` fetches, verifies and warms one
up, ``following`` reads the journal and swaps, ``app`` answers, ``document`` describes the API, ``figures`` counts, ``protocol`` is a
connection, ``run`` starts the server. Only ``promotion serve`` imports any of it: FastAPI, uvicorn and what they
rest on are the extra ``serve``.
"""

from __future__ import annotations

from promotion.errors import UsageError


def require() -> None:
    """Raise UsageError where the extra is not installed, with how to install it."""
    try:
        import fastapi  # noqa: F401
        import httptools  # noqa: F401
        import orjson  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
        import uvloop  # noqa: F401
    except ImportError as error:
        raise UsageError(f"serve needs {error.name}", hint="pip install 'mlflow-promotion[serve]'") from error
