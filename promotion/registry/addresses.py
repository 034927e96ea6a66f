"""Addresses and server messages as they may be shown: no credentials, one line, short."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from promotion.errors import UsageError

_USERINFO = re.compile(r"(?<=//)[^/\s]*@")
_SHORT = 200


def is_http(uri: str) -> bool:
    """Whether the URI is one that a plain HTTP client can talk to."""
    return uri.lower().startswith(("http://", "https://"))


def without_credentials(uri: str) -> str:
    """The URI with no user, password, query or fragment: any of them may hold a secret."""
    plain = uri.split("#", 1)[0].split("?", 1)[0]
    # Not only what urlsplit takes for user and password: a password with a slash or an @ must not show either.
    scheme, mark, rest = plain.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else plain


def identity(uri: str) -> str:
    """The address that says which registry this is: no credentials, local paths made absolute."""
    plain = without_credentials(uri)
    if plain.startswith("sqlite:///") and (path := plain.removeprefix("sqlite:///")):
        return f"sqlite:///{Path(path).resolve()}"
    local = local_path(plain)
    return plain if local is None else f"file://{local}"


def local_path(uri: str) -> Path | None:
    """The absolute local path that a URI without scheme or with ``file:`` means; None for any other URI."""
    scheme, mark, rest = uri.partition(":")
    if scheme.lower() == "file" and mark:
        return Path(unquote(re.sub(r"^//(localhost)?(?=/)", "", rest))).resolve()
    # One letter before the colon is a Windows drive, a name without colon a path; "databricks" is neither.
    if (mark and len(scheme) > 1) or uri.startswith("databricks") or uri in {"", "uc"}:
        return None
    return Path(uri).resolve()


def http_parts(uri: str) -> tuple[str, tuple[str, str] | None]:
    """Split an ``http(s)`` URI into its address without credentials, and user and password if it has them.

    Raises UsageError, without showing the URI's credentials, when it is no address.
    """
    hint = "the form is http(s)://HOST[:PORT][/PREFIX]"
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        msg = f"{without_credentials(uri)!r} is not an address"
        raise UsageError(msg, hint=hint) from error
    if not parts.hostname or parts.query or parts.fragment:
        msg = f"{without_credentials(uri)!r} is not the address of a server"
        raise UsageError(msg, hint=hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port is None else f"{host}:{port}"
    address = urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))
    if not parts.username and not parts.password:
        return address, None
    return address, (unquote(parts.username or ""), unquote(parts.password or ""))


def shortened(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Somebody else's message as one line of at most 200 characters, without control characters or credentials."""
    for secret in secrets:
        text = text.replace(secret, "***")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    line = _USERINFO.sub("", line)
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
