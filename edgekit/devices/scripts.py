"""What a device's shell is told: texts for dash, bash, busybox and Android's mksh, and tools that all of them have.

Each is the body of a function. It leaves its status, in `word` what it says besides, and on stderr why it failed.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """Lines of shell, and the variables that they read."""

    lines: str
    variables: Mapping[str, object]
    guarded: bool = False
    """Whether it ends at the end of its input, which is then no input."""

    def text(self, limit_s: int) -> tuple[str, str]:
        """All of it as one line for any shell, and the mark after which its status and word stand on stderr.

        After `limit_s` it ends by itself. Whatever it started ends with it: its process group is killed.
        """
        mark = secrets.token_hex(8)
        settings = "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in self.variables.items())
        guard = _GUARD if self.guarded else ""
        whole = _FRAME.format(settings=settings, lines=self.lines, guard=guard, limit_s=limit_s, mark=mark)
        return f"exec sh -c {_for_any_shell(whole)}", mark


def _for_any_shell(text: str) -> str:
    """One word, for the user's own shell: it may be fish, to which a backslash in single quotes has a meaning."""
    return "'" + re.sub(r"['\\]", lambda found: {"'": "'\"'\"'", "\\": "'\"\\\\\"'"}[found[0]], text) + "'"


# What is made there is its owner's alone. The shell's own remarks (`Killed`) go nowhere; 3 and 4 are what was 0 and 2.
# Only what forgets them lets the client end. SIGKILL, to group 0, its own: the status is told by then, and a child may
# ignore anything else.
_FRAME = """
umask 077
exec 3<&0 4>&2 2>/dev/null
word=
{settings}
{{ sleep {limit_s}; kill -KILL 0; }} </dev/null >/dev/null 3<&- 4>&- &
{guard}
body() {{
{lines}
}}
body <&3
status=$?
trap '' PIPE
printf '{mark} %d %s\\n' $status "$word" >&4
kill -KILL 0
"""
_GUARD = "{ read -r rest <&3; kill -KILL 0; } >/dev/null 4>&- &"


def command(argv: Sequence[str]) -> Script:
    """Run a command, which ends when nobody listens any more. word: missing."""
    # Quoted even where shlex sees no need: `if` is a command here.
    name, *arguments = ["'" + word.replace("'", "'\"'\"'") + "'" for word in argv]
    lines = f"""
command -v {name} >/dev/null || {{ word=missing; return 127; }}
( exec {" ".join((name, *arguments))} </dev/null 2>&4 3<&- 4>&- )
"""
    return Script(lines, {}, guarded=True)


def partials(folder: object, tag: str, digest: str) -> Script:
    """Lines of name, bytes and SHA-256: what earlier pushes of that content left, and nobody is writing."""
    return Script(_QUIET + _WRITTEN + _PARTIALS, {"folder": folder, "tag": tag, "digest": digest})


def receive(folder: object, name: str, tag: str, digest: str, size: int, taken: str) -> Script:
    """Put the input where it belongs, after what is in the partial `taken`, if it names one.

    word: gone (that is), other (content), folder (stands there).
    """
    variables = {"folder": folder, "name": f"./{name}", "tag": tag, "digest": digest, "size": size, "taken": taken}
    return Script(_QUIET + _WRITTEN + _RECEIVE, variables)


def describe(file: object) -> Script:
    """A dot, its bytes and its SHA-256. word: missing."""
    return Script(_QUIET + _DESCRIBE, {"file": file})


def fetch(file: object) -> Script:
    """The file."""
    return Script(_QUIET + 'cat <"$file"', {"file": file})


def free(folder: object) -> Script:
    """What df says of the disk of a folder, or of the nearest one above that is there."""
    return Script(_QUIET + _FREE, {"folder": folder})


_QUIET = """
exec 2>&4
trap '' HUP
LC_ALL=C
export LC_ALL
"""
# A partial is `.TAG.DIGEST.PID.partial`: of the target's name and content, and the shell that writes it, which is at
# work in the folder while it does. A number alone could be another process's by now.
_WRITTEN = """
written() { pid=${1%.partial}; [ "/proc/${pid##*.}/cwd" -ef . ]; }
"""
_PARTIALS = """
cd "$folder" 2>/dev/null || return 0
for found in ."$tag.$digest".*.partial; do
  written "$found" || { size=$(wc -c <"$found") && sum=$(sha256sum <"$found") && echo "$found" $size $sum; }
done
"""
# Two at once write to two files. Who comes first has brought it for all: the other finds its own gone, and the content
# there. A rename takes a partial from whoever is dead, for one of those who want it. coreutils has no fsync, and where
# sync takes no file, it keeps them all.
_RECEIVE = """
mkdir -p "$folder" && cd "$folder" || return
[ ! -d "$name" ] || { word=folder; return 1; }
mine=.$tag.$digest.$$.partial
for found in ."$tag".*.partial; do
  [ "$found" = "$taken" ] || written "$found" || rm -f "$found"
done
[ -z "$taken" ] || mv "$taken" "$mine" 2>/dev/null || { word=gone; return 1; }
keep() { if command -v fsync >/dev/null; then fsync "$1"; else sync "$1"; fi; }
same() { sum=$(sha256sum <"$1") && [ "${sum%% *}" = "$digest" ]; }
cat >>"$mine" || { rm -f "$mine"; return 1; }
if same "$mine"; then
  keep "$mine" && mv -f "$mine" "$name" || same "$name" || { rm -f "$mine"; return 1; }
  rm -f ."$tag.$digest".*.partial
  keep . 2>/dev/null || sync
elif same "$name"; then
  rm -f "$mine"
else
  [ "$(wc -c <"$mine")" -lt "$size" ] || rm -f "$mine"
  word=other
  return 1
fi
"""
_DESCRIBE = """
[ -f "$file" ] || { word=missing; return 1; }
size=$(wc -c <"$file") && sum=$(sha256sum <"$file") && echo . $size $sum
"""
_FREE = """
while [ -n "$folder" ] && [ ! -d "$folder" ]; do folder=${folder%/*}; done
df -kP "${folder:-/}"
"""
