"""Artifacts that an MLflow server hands out itself (``mlflow-artifacts:``), listed and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from promotion.errors import Unavailable, UsageError
from promotion.registry.answers import reading
from promotion.registry.artifacts import MAX_DEPTH, MAX_FILES, checked_path
from promotion.registry.transport import Api

_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


def served_path(location: str, address: str) -> str:
    """The path below the server's artifact root that an ``mlflow-artifacts:`` location means.

    Raises UsageError when it names another server, which would get our credentials, or leaves the root.
    """
    path = location.partition(":")[2]
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host and host.lower() != address.partition("://")[2].partition("/")[0].lower():
            msg = f"the artifact lies on another server, {host}"
            raise UsageError(msg, hint=f"register a version whose artifact lies on {address}")
    return checked_path(path.strip("/"))


def served_contents(api: Api, root: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Every file below the root, depth first: its path relative to the root, and its bytes."""
    for path, size in _listed(api, root, "", 0):
        with api.stream(f"{_ARTIFACTS}/{quote(f'{root}/{path}', safe='/')}") as chunks:
            yield path, _counted(chunks, size, f"{api.address}: {root}/{path}")


def _listed(api: Api, root: str, folder: str, depth: int) -> Iterator[tuple[str, int | None]]:
    if depth > MAX_DEPTH:
        msg = f"{api.address} lists folders more than {MAX_DEPTH} deep below {root}"
        raise Unavailable(msg, hint="do not use this version; its artifact is not a model folder")
    answer = api.read(_ARTIFACTS, {"path": f"{root}/{folder}".rstrip("/")})
    with reading(api.address, f"the files of {root}"):
        entries = [(str(one["path"]), bool(one.get("is_dir")), one.get("file_size")) for one in answer.get("files", ())]
    if len(entries) > MAX_FILES:
        msg = f"{api.address} lists more than {MAX_FILES} files below {root}"
        raise Unavailable(msg, hint="do not use this version; its artifact is not a model folder")
    for name, is_folder, size in entries:
        # The server gives bare names; one with a separator would reach somewhere else.
        if "/" in name:
            msg = f"{api.address} lists {name!r} as one name"
            raise UsageError(msg, hint="do not use this version; find out who wrote its artifact")
        path = checked_path(f"{folder}/{name}" if folder else name)
        if is_folder:
            yield from _listed(api, root, path, depth + 1)
        else:
            yield path, None if size is None else int(size)


def _counted(chunks: Iterator[bytes], size: int | None, where: str) -> Iterator[bytes]:
    got = 0
    for chunk in chunks:
        got += len(chunk)
        yield chunk
    if size is not None and got != size:
        msg = f"{where} has {got} bytes where {size} were listed"
        raise Unavailable(msg, hint="somebody may be writing it now; try again, then register the model again")
