"""Summary of a generation: percentiles by LoadGen's rule, tokens a second, and the share of the bandwidth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.ir.generation import Generation, GenerationRun
from edgekit.ir.measurement import Validity, no_latency
from edgekit.ir.validity import EMULATED
from edgekit.parity.generation_record import GenerationRecord, generation_record
from edgekit.report.sections.generation import generation as section

TIMES = np.arange(1, 1001, dtype=np.int64) * 10_000
RUN = GenerationRun(
    threads=1,
    first_token_ns=np.array([5_000_000, 7_000_000, 6_000_000]),
    token_ns=TIMES,
    validity=Validity(True),
    processes=(),
    load_ns=1_000_000,
    cold_first_token_ns=9_000_000,
    peak_rss_bytes=50_000_000,
    memory={4: 40_000_000, 67: 41_000_000},
    copied_bytes_per_s=10e9,
)
GENERATION = Generation(
    prompt_tokens=4,
    tokens=(5, 6),
    text=" a b",
    model_bytes=600_000,
    state_bytes=400_000,
    last_cache_bytes=500_000,
    cores=2,
    runtime="r",
    machine="m",
    emulated=False,
    runs=(RUN, replace(RUN, threads=2, validity=Validity(False, "the machine was busy"))),
)


def test_pace_is_of_all_tokens_and_percentiles_are_safe_ones() -> None:
    first, second = generation_record(GENERATION).runs
    assert first.tokens_per_s == pytest.approx(1e9 / TIMES.mean())
    assert first.token_p50_ns == round(float(np.median(TIMES)))
    assert first.token_p90_ns is not None
    assert np.percentile(TIMES, 90) < first.token_p90_ns < np.percentile(TIMES, 95)
    assert first.token_p99_ns is not None
    assert (first.first_token_p50_ns, first.cold_first_token_ns) == (6_000_000, 9_000_000)
    assert first.bandwidth_share == pytest.approx(1e6 / TIMES.mean() * 1e9 / 10e9)
    assert (second.valid, second.reason) == (False, "the machine was busy")


def test_few_tokens_have_no_99th_percentile_and_the_section_says_how_many_it_takes() -> None:
    few = replace(GENERATION, runs=(replace(RUN, token_ns=TIMES[:100]),))
    record = generation_record(few)
    assert record.runs[0].token_p90_ns is not None
    assert record.runs[0].token_p99_ns is None
    shown = section(record)
    assert shown is not None
    assert "A 99th percentile needs 662 tokens, a 90th 64: --min-count." in shown.notes


def test_an_emulated_device_has_memory_and_no_times() -> None:
    untimed = replace(RUN, token_ns=no_latency(), first_token_ns=no_latency(), validity=EMULATED)
    record = generation_record(replace(GENERATION, emulated=True, runs=(untimed,)))
    counted = replace(untimed, prompt_instructions=9_000_000, token_instructions=1_000_000)
    shown = section(generation_record(replace(GENERATION, emulated=True, runs=(counted,))))
    assert shown is not None
    assert "Instructions with 1 thread: 9,000,000 for the prompt, 1,000,000 a token behind it." in shown.notes
    (run,) = record.runs
    assert run.token_instructions is None
    assert (run.tokens_per_s, run.token_p50_ns, run.bandwidth_share, run.cold_first_token_ns) == (None,) * 4
    assert run.reason == "an emulated device has no time of its own"
    assert [place.rss_bytes for place in record.memory] == [40_000_000, 41_000_000]


def test_the_section_shows_the_text_the_pace_and_the_memory() -> None:
    record = generation_record(GENERATION)
    shown = section(record)
    assert shown is not None
    assert shown.first == ("Behind a prompt of 4 tokens it wrote 2:  a b",)
    assert [row[0] for row in shown.rows] == ["1", "2"]
    assert shown.rows[0][1:3] == ("6 ms", "5.005 ms")
    assert shown.rows[1][-1] == "INVALID: the machine was busy"
    assert "Resident memory as the cache grows: 40 MB at 4 tokens, 41 MB at 67." in shown.notes
    assert any("10.0 GB/s" in note and "least time" in note for note in shown.notes)
    assert GenerationRecord.model_validate_json(record.model_dump_json()) == record
    assert section(None) is None
