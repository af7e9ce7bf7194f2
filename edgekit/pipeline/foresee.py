"""What a build would do, told without doing it."""

from __future__ import annotations

from dataclasses import replace

from edgekit.pipeline.compile import Compilation


def foreseen(compilation: Compilation) -> dict[str, str]:
    """Which stages a build would run and which it would reuse, as far as that is known without loading anything."""
    profile, compressed = compilation.order.profile, compilation.compressed
    if profile.quantize and profile.quantize.mixed:  # what it finds decides the rest
        plain = profile.quantize.model_copy(update={"mixed": None})
        order = replace(compilation.order, profile=profile.model_copy(update={"quantize": plain}))
        return dict.fromkeys(("mixed", *foreseen(replace(compilation, order=order))), "to do")
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
