"""serve: the API over what the journal says is applied."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.domain import ModelVersionRef
from promotion.errors import Exit, InvalidFiles, UsageError

if TYPE_CHECKING:
    from promotion.serving.following import Source

TOKEN_VARIABLE = "PROMOTION_SERVE_TOKEN"  # noqa: S105 - the name of a variable


@click.command(cls=Command)
@shared
@click.argument("what", metavar="NAME[@ENVIRONMENT] | NAME/VERSION")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Where to listen; 0: any that is free.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of the model [the processors at hand].")
@click.option("--poll", default=1.0, show_default=True, type=click.FloatRange(0.05, 3600), help="Seconds between two looks at the journal.")
@click.option("--max-rows", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000), help="Rows of one request.")
@click.option("--max-bytes", default=16 << 20, show_default=True, type=click.IntRange(1 << 10, 1 << 30), help="Size of one request.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds for a body, and for an answer.")
def serve(options: Shared, what: str, **given: Any) -> int:  # noqa: ANN401 - click's values
    """Answer predictions with the version that the journal says is applied (in production, unless another environment is named).

    Digest and formats are verified before anything is loaded. A promotion or a rollback is served within seconds, without a lost request;
    when the new version does not load, the old one is served on, and /health says so. NAME/VERSION serves one version, whatever is
    promoted.

    POST /predict takes JSON records, JSON in split form, CSV or Parquet; GET /health, /ready, /version, /metrics and /openapi.json. With
    PROMOTION_SERVE_TOKEN set, /predict, /version, /metrics and /openapi.json ask for it as a bearer token.
    """
    # Before any library for numbers is imported: OpenMP reads it once. And no model may bring a pickle, whatever MLflow's default is.
    from promotion.serving import require

    require()
    from promotion.serving.run import Settings, cores

    count = given["threads"] or cores()
    os.environ["OMP_NUM_THREADS"] = str(count)
    # Threads that spin for the next piece of work take the processor from those that have some: on a busy machine a thousand
    # rows took four times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"

    from promotion.serving.app import Limits
    from promotion.serving.following import Slot
    from promotion.serving.loading import load
    from promotion.serving.run import serve as start

    name, environment, source = _source(options, what)
    registry = build.registry(options)
    token = os.environ.pop(TOKEN_VARIABLE, None)
    if token is not None and (len(token) < 16 or not token.isascii() or not token.isprintable()):
        raise UsageError(f"{TOKEN_VARIABLE} is not a token", hint="16 printable ASCII characters at least: openssl rand -hex 32")
    host = given["host"]
    if token is None and host not in {"127.0.0.1", "::1", "localhost"}:
        _tell(f"everybody who reaches {host} may ask: set {TOKEN_VARIABLE}, or put something before it")
    limits = Limits(given["max_bytes"], given["max_rows"], given["timeout"])
    settings = Settings(host, given["port"], count, given["poll"], given["timeout"], token, limits)
    start(Slot(name, environment), source, lambda ref, most: load(registry, ref, most), settings, _tell)
    return Exit.DONE


def _source(options: Shared, what: str) -> tuple[str, str | None, Source]:
    """The model's name, the environment (None for one version), and where it stands what to serve."""
    from promotion.serving.following import Applied, Fixed

    if "/" in what:
        try:
            ref = ModelVersionRef.parse(what)
        except ValueError as error:
            raise UsageError(str(error), hint="NAME@ENVIRONMENT serves what is applied there, NAME/VERSION one version") from error
        return ref.name, None, Fixed(ref)
    name, _, environment = what.partition("@")
    environment = environment or "production"
    repository = build.git(options)
    try:
        from promotion.repository import working

        known = [one.name for one in working(repository, build.layout(options)).desired.environments]
    except (InvalidFiles, UsageError):  # a clone for the journal alone may lack the files
        known = [environment]
    if not name or environment not in known:
        raise UsageError(f"there is no environment {environment!r}" if name else "no model is named", hint=f"known are {', '.join(known)}")
    return name, environment, Applied(build.journal(repository, options), name, environment)


def _tell(line: str) -> None:
    shown = "".join(one if one.isprintable() else "?" for one in line)
    click.echo(f"{build.now():%H:%M:%S} {shown}", err=True)
