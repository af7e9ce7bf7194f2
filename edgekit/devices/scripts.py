"""Shell scripts for devices, in what dash, bash, busybox and Android's mksh have in common.

Each is the body of a function. It returns a status, sets `word` to one more fact, and writes errors to stderr.
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
    """True for a script that reads no input, and ends when its input is closed."""

    def text(self, limit_s: int) -> tuple[str, str]:
        """Make one line for any shell, and the random mark after which status and word stand on stderr.

        After `limit_s` seconds it ends by itself, and its process group is killed with everything that it started.
        """
        mark = secrets.token_hex(8)
        settings = "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in self.variables.items())
        guard = _GUARD if self.guarded else ""
        whole = _FRAME.format(settings=settings, lines=self.lines, guard=guard, limit_s=limit_s, mark=mark)
        return f"exec sh -c {_for_any_shell(whole)}", mark


def _for_any_shell(text: str) -> str:
    """Quote a word for the login shell, which may be fish: there a backslash in single quotes has a meaning."""
    return "'" + re.sub(r"['\\]", lambda match: {"'": "'\"'\"'", "\\": "'\"\\\\\"'"}[match[0]], text) + "'"


# New files are their owner's alone. The shell's own messages (`Killed`) are dropped; descriptors 3 and 4 are the former
# 0 and 2, and the client ends only when every process has closed them. SIGKILL goes to group 0, its own: the status is
# written by then, and a child may ignore any other signal.
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
    """Run a command, which ends when its input is closed. word: missing."""
    # Quoted even where shlex sees no need: `if` is a command here.
    name, *arguments = ["'" + word.replace("'", "'\"'\"'") + "'" for word in argv]
    lines = f"""
command -v {name} >/dev/null || {{ word=missing; return 127; }}
( exec {" ".join((name, *arguments))} </dev/null 2>&4 3<&- 4>&- )
"""
    return Script(lines, {}, guarded=True)


def partials(folder: object, tag: str, digest: str) -> Script:
    """List the partial files that earlier pushes of that content left and nobody is writing: name, bytes, SHA-256.

    tag: of the target's name. digest: SHA-256 of the whole content.
    """
    return Script(_QUIET + _WRITTEN + _PARTIALS, {"folder": folder, "tag": tag, "digest": digest})


def receive(folder: object, name: str, tag: str, digest: str, size: int, resumed: str) -> Script:
    """Append the input to the partial file `resumed`, if it names one, and rename the result to `name` in `folder`.

    word: gone (there is no such partial any more), other (the content is not that of `digest`), folder (`name` is one).
    """
    variables = {"folder": folder, "name": f"./{name}", "tag": tag, "digest": digest, "size": size, "resumed": resumed}
    return Script(_QUIET + _WRITTEN + _RECEIVE, variables)


def describe(file: object) -> Script:
    """Print a dot, the file's size in bytes and its SHA-256. word: missing."""
    return Script(_QUIET + _DESCRIBE, {"file": file})


def fetch(file: object) -> Script:
    """Print the file."""
    return Script(_QUIET + 'cat <"$file"', {"file": file})


def free(folder: object) -> Script:
    """Run df on the disk of a folder, or of the nearest one above that is there."""
    return Script(_QUIET + _FREE, {"folder": folder})


_QUIET = """
exec 2>&4
trap '' HUP
LC_ALL=C
export LC_ALL
"""
# Partial files are named `.TAG.DIGEST.PID.partial`: hashes of the target name and the content, and the process that
# writes it. That process works in this folder: its number alone may belong to another process by now.
_WRITTEN = """
written() { pid=${1%.partial}; [ "/proc/${pid##*.}/cwd" -ef . ]; }
"""
_PARTIALS = """
cd "$folder" 2>/dev/null || return 0
for found in ."$tag.$digest".*.partial; do
  written "$found" || { size=$(wc -c <"$found") && sum=$(sha256sum <"$found") && echo "$found" $size $sum; }
done
"""
# Two pushes at once write two partial files. The first to finish removes the other's, which then finds the content in
# place. A rename claims the partial file of a dead push for one of several that want to resume it. coreutils has no
# fsync, and where sync takes no argument it flushes everything.
_RECEIVE = """
mkdir -p "$folder" && cd "$folder" || return
[ ! -d "$name" ] || { word=folder; return 1; }
mine=.$tag.$digest.$$.partial
for found in ."$tag".*.partial; do
  [ "$found" = "$resumed" ] || written "$found" || rm -f "$found"
done
[ -z "$resumed" ] || mv "$resumed" "$mine" 2>/dev/null || { word=gone; return 1; }
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
