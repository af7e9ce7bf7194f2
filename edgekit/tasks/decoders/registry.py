"""Choice of a decoder, by its kind under `[task.decoder]`."""

from __future__ import annotations

from typing import Any

from edgekit.errors import SpecError, suggest
from edgekit.specs.spec import parse
from edgekit.tasks.decoders.anchor_free import AnchorFree
from edgekit.tasks.decoders.decoded import Decoded
from edgekit.tasks.decoders.decoder import BoxDecoder
from edgekit.tasks.decoders.fastest_v2 import FastestV2
from edgekit.tasks.decoders.ssd import Ssd
from edgekit.tasks.decoders.yolo_v5 import YoloV5
from edgekit.tasks.decoders.yolo_v8 import YoloV8

WHERE = "edgekit.toml: [task.decoder]"
DECODERS: dict[str, type[BoxDecoder]] = {
    kind.model_fields["kind"].default: kind for kind in (Decoded, Ssd, AnchorFree, YoloV5, YoloV8, FastestV2)
}


def decoder_of(stated: Any) -> BoxDecoder:
    """Make a decoder of its kind, such as "yolo-v8", or of a table with its kind and options. Raises SpecError."""
    if isinstance(stated, BoxDecoder):
        return stated
    options = {"kind": stated} if isinstance(stated, str) else stated
    known = f"kinds: {', '.join(DECODERS)}"
    if not isinstance(options, dict) or not isinstance(options.get("kind"), str):
        raise SpecError(f"{WHERE}: 'kind': is missing", hint=known)
    if options["kind"] not in DECODERS:
        kind = options["kind"]
        raise SpecError(f"{WHERE}: 'kind': no decoder is named '{kind}'", hint=suggest(kind, DECODERS, known))
    decoder: BoxDecoder = parse(DECODERS[options["kind"]], options, WHERE)
    return decoder
