"""Both endpoints of a verdict, asked for other samples than the evaluation set: perturbed, of another source, …"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from edgekit.cache import Cache, digest_of, tool_versions
from edgekit.ir.measurement import Measurement
from edgekit.ir.plural import counted
from edgekit.measure import store
from edgekit.measure.joint_sets import JointSet, joint_sets
from edgekit.measure.shards import Shards
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.sample_sets import SampleSet
from edgekit.samples import Samples

Measure = Callable[[Samples, Shards], Measurement]
"""Function that measures samples, without latency. The shards are for an endpoint that may fail on the way."""


@dataclass(frozen=True)
class Respondent:
    """An endpoint that is asked for other samples."""

    measure: Measure
    compute_key: Callable[[], str] | None = None
    """Key of model and runtime, by which its answers are kept in the cache for ever.

    None for an endpoint that may answer otherwise the next time, such as a device: its answers are kept until all sets
    are answered, so that a run that broke off goes on from there.
    """

    @cached_property
    def key(self) -> str | None:
        return self.compute_key() if self.compute_key else None

    def entry(self, identity: str) -> str | None:
        """Key of the cache entry with its answers to the set of this identity."""
        versions = tool_versions(("numpy", "pillow"))
        return self.key and digest_of({"stage": "other samples", "of": self.key, "set": identity, "by": versions})


@dataclass(frozen=True)
class PairedMeasurements:
    """Measurements of one set of samples by both endpoints."""

    name: str
    """Name of the set."""
    reference: Measurement
    candidate: Measurement


@dataclass(frozen=True)
class BothEndpoints:
    """Reference and candidate of one verdict, which other samples are asked of while both can be reached."""

    reference: Respondent
    candidate: Respondent
    line: StageRunner
    place: str = ""
    """Text that changes with device and bundle: answers without a key are kept under it until all sets are answered."""

    def ask(self, sets: Sequence[SampleSet], stage: str, words: str = "") -> Iterator[PairedMeasurements]:
        """Measure both on each of the sets, and yield each pair when it is there, those in the cache first.

        sets: with names that are unique. stage: name under which the time is recorded. words: what is told before
        the first is measured. Raises what the endpoints do;
        answers that have come are kept, so that the same command goes on from there.
        """
        with self.line.stage(stage):
            rest = []
            for each in sets:
                pair = self._kept(each)
                if pair:
                    yield pair
                else:
                    rest.append(each)
            if rest and words:
                self.line.teller(stage)(words)
            if rest:
                yield from self._measured(rest, self.line.teller(stage))

    def _measured(self, sets: Sequence[SampleSet], tell: Callable[[str], None]) -> Iterator[PairedMeasurements]:
        named = {each.name: each for each in sets}
        done, identities = 0, [each.identity for each in sets]
        with _held(self.line.cache, digest_of([self.place, identities, list(named)]), tell) as shards:
            for joint in joint_sets((each.name, each.make()) for each in sets):
                samples = joint.samples
                theirs = self._answers(self.reference, joint, samples, named, shards.of("reference"))
                ours = self._answers(self.candidate, joint, samples, named, shards.of("candidate"))
                for name in joint.names:
                    yield PairedMeasurements(name, theirs[name], ours[name])
                done += len(joint.names)
                tell(f"{done:,} of {counted(len(sets), 'set')} of samples")

    def _answers(
        self, side: Respondent, joint: JointSet, samples: Samples, sets: Mapping[str, SampleSet], shards: Shards
    ) -> Mapping[str, Measurement]:
        """Measurements of each set of a joint one, by name; from the cache where all of them are there."""
        digests = {name: part.digest for name, part in zip(joint.names, joint.parts, strict=True)}
        keys = {name: side.entry(sets[name].identity or digests[name]) for name in joint.names}
        kept = {name: self._find(key) for name, key in keys.items()}
        answers = {name: one for name, one in kept.items() if one and one.samples_digest == digests[name]}
        if len(answers) == len(keys):
            return answers
        answers = joint.apart(side.measure(samples, shards))
        for name, key in keys.items():
            if key:
                self.line.cache.fetch(key, partial(_save, answers[name]))
        return answers

    def _kept(self, each: SampleSet) -> PairedMeasurements | None:
        """Answers of an earlier build, where they can be told without making the samples."""
        if each.identity is None:
            return None
        theirs, ours = (self._find(side.entry(each.identity)) for side in (self.reference, self.candidate))
        paired = theirs and ours and theirs.samples_digest == ours.samples_digest
        return PairedMeasurements(each.name, theirs, ours) if theirs and ours and paired else None

    def _find(self, key: str | None) -> Measurement | None:
        entry = self.line.cache.find(key) if key else None
        return store.load(entry / "measurement") if entry else None


def one_for_both(measure: Measure, line: StageRunner, place: str) -> BothEndpoints:
    """A model that has no reference, in the place of both: each set is measured once."""
    last: dict[str, Measurement] = {}

    def once(samples: Samples, shards: Shards) -> Measurement:
        digest = samples.digest
        if digest not in last:
            last.clear()
            last[digest] = measure(samples, shards)
        return last[digest]

    return BothEndpoints(Respondent(once), Respondent(once), line, place)


@contextlib.contextmanager
def _held(cache: Cache, name: str, tell: Callable[[str], None]) -> Iterator[Shards]:
    """Yield shards that are kept until the body has come to its end, however many sets are answered by then."""
    keep = cache.root / "probes" / name
    yield Shards(keep, tell, held=True)
    shutil.rmtree(keep, ignore_errors=True)


def _save(measured: Measurement, out: Path) -> None:
    """Save a measurement as an entry of the cache, in the folder `out`."""
    store.save(measured, out / "measurement")
