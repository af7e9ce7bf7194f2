"""Facts of the bundle itself: what it is, what made it, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.evidence.fact import BOM, CARD, MANIFEST, MODEL_CARD, PROVENANCE, SIGNATURE, Fact
from edgekit.ir.plural import counted, verb
from edgekit.parity.data.card import DataCard


def facts(bundle: Bundle, card: DataCard | None) -> Iterator[Fact]:
    """Facts that the signed manifest and the data card hold."""
    manifest = bundle.manifest
    yield from _identity(bundle)
    yield from _making(manifest)
    yield Fact("model card", "description, verdict, limits and data of the model", MODEL_CARD, "")
    yield Fact("bom", "bill of materials: model, files, data sets, packages, gates", BOM, "")
    yield Fact("provenance", "signed statement of what was built, by what, from what", PROVENANCE, "")
    if card is None:
        return
    sets = ", ".join(f"{each.role} ({_samples(each.samples)})" for each in card.sets)
    yield Fact("data", f"data sets with source, licence and digest: {sets}", CARD, "sets")
    stated = sum(each.personal is not None for each in card.sets)
    yield Fact(
        "privacy",
        f"whether it is personal data is stated of {stated} of {counted(len(card.sets), 'set')}",
        CARD,
        "sets",
    )
    if card.allowed is not None:
        are = verb(len(card.violations), "is", "are")
        broken = (
            f"{counted(len(card.violations), 'set')} {are} outside of it" if card.violations else "all sets keep it"
        )
        yield Fact("policy", f"licences that are allowed: {', '.join(card.allowed)}; {broken}", CARD, "allowed")


def _identity(bundle: Bundle) -> Iterator[Fact]:
    manifest = bundle.manifest
    what = f"{manifest.name}, version {manifest.version}: {manifest.task}, {counted(len(manifest.classes), 'class')}"
    yield Fact("identity", what, MANIFEST, "name")
    yield Fact(
        "target", f"{manifest.target} ({manifest.family}, {manifest.arch}), {manifest.backend}", MANIFEST, "target"
    )
    edges = "; ".join(map(str, (*manifest.signature.inputs, *manifest.signature.outputs)))
    yield Fact("interface", f"inputs and outputs: {edges}", MANIFEST, "signature")
    signers = ", ".join(key.id for key in bundle.signers)
    yield Fact("signature", f"signed by {signers}, verified; digest {bundle.digest}", SIGNATURE, "")
    if manifest.floor:
        yield Fact("floor", f"devices take no version below {manifest.floor} once it is committed", MANIFEST, "floor")
    if manifest.expires:
        yield Fact("expiry", f"to be installed until {manifest.expires}", MANIFEST, "expires")


def _making(manifest: Manifest) -> Iterator[Fact]:
    passes = ", ".join(step.name for step in manifest.history) or "none"
    yield Fact("passes", f"{manifest.precision} by profile {manifest.profile}; passes: {passes}", MANIFEST, "history")
    yield Fact(
        "packages", f"packages that decided the bytes, by version: {len(manifest.versions)}", MANIFEST, "versions"
    )
    facts = manifest.facts
    share = f"{facts.delegated_share:.1%} of the arithmetic runs in {', '.join(manifest.delegates) or 'no delegate'}"
    yield Fact("placement", f"{facts.macs:,} multiply-accumulates; {share}", MANIFEST, "placement")
    size = f"{facts.size_bytes:,} bytes, {facts.size_bytes / max(facts.float_size_bytes, 1):.2f} of the float model"
    yield Fact("size", size, MANIFEST, "facts")
    if manifest.processing or manifest.tokenizers:
        names = ", ".join(sorted({*manifest.processing, *manifest.tokenizers}))
        yield Fact("preprocessing", f"steps before the inputs {names}, with golden digests", MANIFEST, "processing")


def _samples(count: int | None) -> str:
    return "not counted" if count is None else f"{counted(count, 'sample')}"
