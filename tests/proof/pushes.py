"""Faults at the n-th push of the journal, by the hooks of a real bare repository: before the branch moves, and after.

The hooks find the ``git push`` above them by its command line, as a crash of the machine that pushes would end it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FIND_PUSH = """push=$PPID
until tr '\\0' ' ' <"/proc/$push/cmdline" | grep -q ' push '; do push=$(awk '{print $4}' "/proc/$push/stat"); done
"""
_UPDATE = f"""#!/bin/sh
[ "$1" = refs/heads/promotion-journal ] || exit 0
n=$(($(cat proof/count) + 1))
echo $n >proof/count
[ "$n" -ge "$(cat proof/from)" ] && [ "$n" -le "$(cat proof/to)" ] || exit 0
{_FIND_PUSH}
case $(cat proof/kind) in
"push: killed before") kill -9 "$(cat proof/pid)" ;;
"push: killed, refused") kill -9 "$(cat proof/pid)"; exit 1 ;;
"push: all killed before") kill -9 "$(cat proof/pid)" "$push" "$PPID" ;;
"push: refused") echo "protected branch" >&2; exit 1 ;;
"push: cut before") kill -9 "$push" "$PPID" ;;
"push: slow") sleep 3 ;;
esac
exit 0
"""
_POST = f"""#!/bin/sh
grep -q refs/heads/promotion-journal || exit 0
n=$(cat proof/count)
[ "$n" -ge "$(cat proof/from)" ] && [ "$n" -le "$(cat proof/to)" ] || exit 0
{_FIND_PUSH}
case $(cat proof/kind) in
"push: killed after") kill -9 "$(cat proof/pid)" ;;
"push: all killed after") kill -9 "$(cat proof/pid)" "$push" ;;
"push: answer lost") kill -9 "$push" ;;
esac
exit 0
"""
KINDS = {
    "push: killed before": {-9},
    "push: killed, refused": {-9},
    "push: all killed before": {-9},
    "push: killed after": {-9},
    "push: all killed after": {-9},
    "push: refused": {0},
    "push: cut before": {0},
    "push: answer lost": {0},
    "push: slow": {0},
}
"""Every kind, with the exit codes that it may lead to."""


@dataclass(frozen=True, slots=True)
class PushFault:
    """One kind of fault at the pushes from number ``index`` (from 1) to ``last``."""

    origin: Path
    kind: str
    index: int
    last: int

    def install(self) -> None:
        """Put the hooks in place."""
        folder = self.origin / "proof"
        folder.mkdir(exist_ok=True)
        for name, value in (("count", "0"), ("from", str(self.index)), ("to", str(self.last)), ("kind", self.kind)):
            (folder / name).write_text(f"{value}\n")
        for name, script in (("update", _UPDATE), ("post-receive", _POST)):
            path = self.origin / "hooks" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(script)
            path.chmod(0o755)

    def started(self, pid: int) -> None:
        """Tell the hooks whom to kill."""
        (self.origin / "proof" / "pid").write_text(f"{pid}\n")

    def over(self) -> int:
        """Take the hooks away; gives how many pushes there were."""
        for name in ("update", "post-receive"):
            (self.origin / "hooks" / name).unlink()
        return int((self.origin / "proof" / "count").read_text())
