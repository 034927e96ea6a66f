"""The only calls of the ``git`` command: one class, thin and typed.

Nothing here reads the variables by which git can be pointed elsewhere (``GIT_DIR`` and the like), waits for a password, or
runs a repository's hooks; every call has a time limit.
"""

from __future__ import annotations

from promotion.git.command import without_credentials
from promotion.git.objects import Commit, Identity, Object
from promotion.git.remote import Pushed, Remotes
from promotion.git.signing import Signature
from promotion.git.tags import Tags


class Git(Remotes, Tags):
    """The repository that a folder lies in; raises UsageError outside of one.

    ``network_timeout`` bounds each call that speaks to a remote, ``local_timeout`` every other one, in seconds;
    ``left`` tells how many seconds are left for everything (None: as long as it takes).
    """

    __slots__ = ()


__all__ = ["Commit", "Git", "Identity", "Object", "Pushed", "Signature", "without_credentials"]
