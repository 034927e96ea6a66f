"""Run git: its environment, its time limits, and what its failures mean."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from promotion.errors import PromotionError, Unavailable, UsageError

# The variables that point git at another repository, index or object store (``git rev-parse --local-env-vars``): set inside
# hooks, where they would send our calls to the wrong place. Configuration by variable (GIT_CONFIG_COUNT) is the user's and stays.
_LOCAL = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        "GIT_AUTHOR_DATE",
        "GIT_COMMITTER_DATE",
        "LANGUAGE",
    }
)
# Replaced objects would show another content under a known hash; literal pathspecs keep ``*`` in a file's name a star.
_SET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}
_ALWAYS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.quotePath=false", "-c", "i18n.logOutputEncoding=UTF-8")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
LEAST = 5.0
"""Seconds that a remote gets even when the time for everything is over: what was written must still be recorded."""
_TELLING = ("fatal:", "error:", "remote:", "ssh:", "!")


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said: exit code, standard output as bytes, standard error as text."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text without the last newline."""
        return self.out.decode("utf-8", "replace").removesuffix("\n")

    @property
    def reason(self) -> str:
        """The lines of standard error that tell what is wrong, in one line, without credentials."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(_TELLING)] or lines[-1:]
        return without_credentials("; ".join(telling[:4])) or f"git ended with {self.code}"


class TimedOut(PromotionError):
    """A git command did not end in time; it was stopped, with everything it had started."""


def without_credentials(text: str) -> str:
    """The text with ``user:password@`` cut out of every address in it."""
    return _CREDENTIALS.sub("", text)


class Command:
    """Runs git in one repository."""

    __slots__ = ("folder", "left", "local_timeout", "network_timeout", "root")

    def __init__(
        self, folder: Path, *, network_timeout: float = 30.0, local_timeout: float = 60.0, left: Callable[[], float | None] = lambda: None
    ) -> None:
        self.folder = folder
        self.network_timeout = network_timeout
        self.local_timeout = local_timeout
        self.left = left
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}")
        self.root = Path(self.run("rev-parse", "--show-toplevel").text)
        """The top folder of the working tree."""

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
        good: Sequence[int] = (0,),
    ) -> Answer:
        """Run one git command; raises UsageError when it ends with a code that is not ``good``, TimedOut when it does not end."""
        limit = self.local_timeout if timeout is None else timeout
        answer = _run(("git", *_ALWAYS, *arguments), self.folder, {**_environment(), **(environment or {})}, stdin, limit)
        if answer.code not in good:
            self._fail(arguments, answer)
        return answer

    def ask(self, remote: str, *arguments: str, good: Sequence[int] = (0,)) -> Answer:
        """Run a command that speaks to a remote; raises Unavailable when it fails or does not end in time."""
        left = self.left()
        limit = self.network_timeout if left is None else min(self.network_timeout, max(LEAST, left))
        try:
            answer = self.run(*arguments, timeout=limit, good=range(-64, 256))
        except TimedOut as late:
            raise Unavailable(
                f"{self.named(remote)} did not answer within {limit:.3g} s", hint="see whether it is up, then run this again"
            ) from late
        if answer.code not in good:
            raise Unavailable(
                f"{self.named(remote)} could not be reached or refused: {answer.reason}",
                hint=f"see whether git ls-remote {remote} works here, and which rights these credentials have",
            )
        return answer

    def named(self, remote: str) -> str:
        """A remote's name with its address, without credentials."""
        answer = self.run("remote", "get-url", remote, good=range(-64, 256))
        return f"{remote} ({without_credentials(answer.text)})" if answer.code == 0 else without_credentials(remote)

    def _fail(self, arguments: tuple[str, ...], answer: Answer) -> NoReturn:
        if "not a git repository" in answer.err or "must be run in a work tree" in answer.err:
            raise UsageError(f"{self.folder} is not in the working tree of a git repository", hint="go there, or name it with --directory")
        if "dubious ownership" in answer.err:
            raise UsageError(
                f"{self.folder} belongs to another user, so git does not trust it",
                hint=f"if you do: git config --global --add safe.directory {self.folder}",
            )
        raise UsageError(f"git {arguments[0]} failed: {answer.reason}")


def checked(ref: str) -> str:
    """A ref that git cannot mistake for an option or for two lines; raises UsageError for any other."""
    if not ref or ref.startswith("-") or any(ord(character) < ord(" ") for character in ref):
        raise UsageError(f"{ref!r} names no commit")
    return ref


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _LOCAL} | _SET


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes, timeout: float) -> Answer:
    """Run to the end or to the limit. A session of its own: no terminal to ask for a password, and one group to stop."""
    try:
        process = subprocess.Popen(  # noqa: S603 - git itself, and no shell
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as missing:
        raise UsageError("the command git was not found", hint="install git 2.34 or newer, and see that it is on PATH") from missing
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired as late:
        raise TimedOut(f"git did not end within {timeout:g} s") from late
    finally:
        _stop(process)
    return Answer(process.returncode, out, err.decode("utf-8", "replace"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop what still runs, transports included: a remote's connection is a child of git that outlives it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
