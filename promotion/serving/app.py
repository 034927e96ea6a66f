"""The API: takes requests apart, asks the version that is served, and answers; nothing that is sent here is answered by a 500."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from promotion import __version__
from promotion.serving.bodies import read
from promotion.serving.columns import Refused, refuse
from promotion.serving.document import document
from promotion.serving.figures import Figures

if TYPE_CHECKING:
    from promotion.serving.columns import Fault
    from promotion.serving.following import Slot
    from promotion.serving.forward import Answer, Served

_JSON = "application/json"
_WAITING = 8
"""Bodies of the largest size that may be held at once; what comes beyond is asked to come again."""
_FEW = 8 << 10
"""Bytes of a body whose rows are few."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``body`` in bytes, ``rows`` of one request, ``seconds`` for a body to arrive and for an answer."""

    body: int = 16 << 20
    rows: int = 10_000
    seconds: float = 30.0


@dataclass(slots=True)
class Api:
    """The routes over one slot. ``token``: what ``/predict``, ``/version``, ``/metrics`` and ``/openapi.json`` ask for; None: nothing."""

    slot: Slot
    limits: Limits
    threads: int
    token: str | None
    tell: Callable[[str], None]
    figures: Figures = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _held: int = 0

    def __post_init__(self) -> None:
        self.figures = Figures(self.slot)
        self._pool = ThreadPoolExecutor(self.threads, "predict")

    def app(self) -> FastAPI:
        """The application; its documents are ours, and no page that loads something from elsewhere is served."""
        made = FastAPI(title=self.slot.name, version=__version__, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
        # Plain routes: what FastAPI would check by types is checked by the signature, which changes while the server runs.
        made.add_route("/predict", self.predict, methods=["POST"])
        for path, answer in (
            ("/health", self.health),
            ("/ready", self.ready),
            ("/version", self.version),
            ("/metrics", self.metrics),
            ("/openapi.json", self.openapi),
        ):
            made.add_route(path, answer, methods=["GET"])
        made.add_exception_handler(HTTPException, _http)
        made.add_exception_handler(Refused, _denied)
        return made

    async def health(self, _: Request) -> Response:
        """What is served, what is wanted, and what does not work."""
        slot = self.slot
        served, wanted = slot.served, slot.wanted
        status = "starting" if served is None and not slot.troubles else "degraded" if slot.troubles else "serving"
        if served is None and slot.looked is not None and wanted is None:
            status = "nothing is applied" if not slot.troubles else "degraded"
        seen = None if slot.looked is None else round(time.monotonic() - slot.looked, 1)
        return _answer(
            {
                "status": status,
                "model": slot.name,
                "environment": slot.environment,
                "serving": None if served is None else _named(served),
                "wanted": None if wanted is None else wanted.version,
                "loading": slot.loading,
                "troubles": slot.troubles,
                "journal_read_seconds_ago": seen,
            }
        )

    async def ready(self, _: Request) -> Response:
        """200 as soon as a version answers."""
        ready = self.slot.served is not None
        return _answer({"ready": ready}, 200 if ready else 503)

    async def version(self, request: Request) -> Response:
        """The version that is in service."""
        self._allowed(request)
        served, since = self.slot.served, self.slot.since
        if served is None:
            return _refusal(self._nothing())
        told = {
            **_named(served),
            "environment": self.slot.environment,
            "since": since.isoformat() if since else None,
            "promotion": __version__,
        }
        return _answer(told)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        self._allowed(request)
        return Response(self.figures.text(), media_type="text/plain; version=1.0.0; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        """The document of the version that is in service."""
        self._allowed(request)
        return _answer(document(self.slot.served, self.slot.name, __version__, self.limits.rows, token=self.token is not None))

    async def predict(self, request: Request) -> Response:
        """One prediction for each row."""
        served: Served | None = None
        size = 0
        try:
            self._allowed(request)
            media, details = _media(request), _details(request)
            size = self._hold(request)
            async with asyncio.timeout(self.limits.seconds):
                body = await self._body(request)
            # From here on everything is of one version, whatever is swapped meanwhile.
            served = self.slot.served
            if served is None:
                return self._refusal(None, self._nothing())
            began = time.perf_counter()
            answer, content = await self._computed(served, body, media, details=details)
            self.figures.answered(served, answer, time.perf_counter() - began)
            headers = {"Model-Version": f"{served.ref.name}/{served.ref.version}", "Model-Digest": f"sha256:{served.ref.digest}"}
            return Response(content, media_type=_JSON, headers=headers)
        except Refused as refused:
            return self._refusal(served, refused)
        except TimeoutError:
            late = (
                refuse("there is too much to do: try again later", status=503)
                if served
                else refuse("the body did not arrive in time", status=408)
            )
            return self._refusal(served, late)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - a model may raise anything for rows that its signature allows
            self.tell(f"{served.ref if served else self.slot.name} did not answer a request: {type(error).__name__}: {error}"[:500])
            return self._refusal(served, refuse("the model does not answer these rows"))
        finally:
            self._held -= size

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _computed(self, served: Served, body: bytes, media: str, *, details: bool) -> tuple[Answer, bytes]:
        if served.quick and media == _JSON and len(body) <= _FEW:
            return self._work(served, body, media, details)
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, served, body, media, details)
        async with asyncio.timeout(self.limits.seconds):
            return await work

    def _work(self, served: Served, body: bytes, media: str, details: bool) -> tuple[Answer, bytes]:  # noqa: FBT001 - a flag of the request
        """From bytes to bytes; in a thread of the pool, or at once where that is quicker."""
        answer = served.predict(read(body, media, served.columns, self.limits.rows))
        told: dict[str, Any] = {**_named(served), "output": served.outputs[0], "predictions": answer.values[:, 0].tolist()}
        if details:
            told["details"] = dict(zip(served.outputs, answer.values.T.tolist(), strict=True))
        # A thousand numbers take twenty times as long in Python. It would write NaN as null; these are finite.
        return answer, orjson.dumps(told) if answer.numbers else _encoded(told)

    def _allowed(self, request: Request) -> None:
        if self.token is None:
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise refuse("the token is missing or another one", status=401)

    def _hold(self, request: Request) -> int:
        """Count a body before it is read; raises Refused when it is too large, or too many are held already."""
        told = request.headers.get("content-length")
        size = int(told) if told is not None and told.isascii() and told.isdigit() and len(told) < 16 else self.limits.body
        if told is not None and size > self.limits.body:
            raise self._too_large()
        if self._held + size > _WAITING * self.limits.body:
            raise refuse("there is too much to do: try again later", status=503)
        self._held += size
        return size

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self.limits.body:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self) -> Refused:
        return refuse(f"the body is larger than {self.limits.body:,} bytes; send fewer rows at once")

    def _nothing(self) -> Refused:
        slot = self.slot
        nothing = slot.looked is not None and slot.wanted is None
        calm = f"nothing of {slot.name} is applied in {slot.environment}" if nothing else "no version is loaded yet; /health tells more"
        return refuse(next(iter(slot.troubles.values()), calm), status=503)

    def _refusal(self, served: Served | None, refused: Refused) -> Response:
        self.figures.refused(served, self.slot.name, refused.status)
        return _refusal(refused)


def _refusal(refused: Refused) -> Response:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(refused.status, {})
    faults = [{name: value for name, value in _fault(one) if value is not None} for one in refused.faults]
    return _answer({"error": _sentence(refused.faults[0]), "count": refused.count, "faults": faults}, refused.status, headers)


def _sentence(one: Fault) -> str:
    """With its place, for who reads no further."""
    places = [f"row {one.row}"] if one.row is not None else []
    places += [f"column {one.column}"] if one.column is not None else []
    return f"{', '.join(places)}: {one.problem}" if places else one.problem


def _fault(one: Fault) -> tuple[tuple[str, object], ...]:
    return ("problem", one.problem), ("row", one.row), ("column", one.column)


def _named(served: Served) -> dict[str, Any]:
    return {"model": served.ref.name, "version": served.ref.version, "digest": f"sha256:{served.ref.digest}"}


def _media(request: Request) -> str:
    """The type of content; raises Refused for an encoding: what is small on the way may be huge here."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise refuse("an encoded body is not taken: send it as it is", status=415)
    media, _, rest = request.headers.get("content-type", "").partition(";")
    charset = rest.lower().partition("charset=")[2].strip(' "').partition(";")[0]
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise refuse("text is taken in UTF-8 alone", status=415)
    return media.strip().lower()


def _details(request: Request) -> bool:
    values = request.query_params.getlist("details")
    known = {"true": True, "1": True, "false": False, "0": False}
    if not values:
        return False
    if len(values) > 1 or values[0].lower() not in known:
        raise refuse("details is true or false")
    return known[values[0].lower()]


def _encoded(told: Mapping[str, Any]) -> bytes:
    """JSON that people can read as well; half a character, which UTF-8 does not have, stays JSON's own escape."""
    return json.dumps(told, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def _answer(told: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encoded(told), status, dict(headers or {}), _JSON)


async def _http(request: Request, error: Exception) -> Response:
    """What the routes themselves refuse: another path, another method."""
    assert isinstance(error, HTTPException)
    told = {404: "there is nothing here; /openapi.json tells what there is", 405: f"{request.method} is not taken here"}
    problem = told.get(error.status_code, error.detail)
    return _answer({"error": problem, "count": 1, "faults": [{"problem": problem}]}, error.status_code, error.headers)


async def _denied(_: Request, error: Exception) -> Response:
    """What a route that only looks refuses: a missing token."""
    assert isinstance(error, Refused)
    return _refusal(error)
