"""What a build would do, told without doing it."""

from __future__ import annotations

from edgekit.pipeline.compile import Compilation


def foreseen(compilation: Compilation) -> dict[str, str]:
    """Which stages a build would run and which it would reuse, as far as that is known without loading anything."""
    profile, compressed = compilation.order.profile, compilation.compressed
    names = [*compressed.stages, "capture", *(["quantize"] if compilation.early else [])]
    names += ["lower float32", "lower"] if profile.compresses else ["lower"]
    if not compilation.known:
        return dict.fromkeys(names, "to do")
    keys = {
        **compressed.keys,
        "capture": compilation.capture_key,
        "quantize": compilation.quantize_key,
        "lower float32": compilation.float_key,
        "lower": compilation.artifact_key,
    }
    find = compilation.line.cache.find
    return {name: "cached" if find(keys[name]) else "to do" for name in names}
