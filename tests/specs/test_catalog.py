"""What the committed targets and profiles promise, and how a catalogue is searched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.errors import Misfit, SpecError, UnknownName
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.profile import Profile
from edgekit.specs.target import RuntimeSpec, Target

CATALOG = Catalog((builtin_root(),))
TARGETS = CATALOG.targets()
PROFILES = CATALOG.profiles()
FAMILIES = ("android", "dragonwing", "host", "jetson", "raspberry-pi")

FACTS = ("cpu", "gpu", "npu", "memory", "accelerator")

EXTRA = """
schema = 1
title = "{title}"
family = "raspberry-pi"
sources = ["[1] made up"]
cpu = {{ cores = ["1x cortex-a53"] }}
memory = {{ ram_mb = 64 }}
runtime = [{{ backend = "onnx", delegates = ["cpu"] }}]
deploy = {{ transport = "ssh", root = "/opt/edgekit" }}
"""

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)


def fact_lines(target: Target) -> list[str]:
    """The lines of the target's file that state a hardware fact."""
    section, lines = "", []
    for line in (builtin_root() / "targets" / f"{target.id}.toml").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section in FACTS and "=" in line:
            lines.append(line)
    return lines


def test_the_targets_that_are_promised_are_there() -> None:
    assert {target.id for target in TARGETS} >= {
        "raspberry-pi-4",
        "raspberry-pi-5",
        "raspberry-pi-zero-2w",
        "android-arm64",
        "pixel-8",
        "jetson-orin-nano",
        "jetson-agx-orin",
        "host",
        "snapdragon-8-gen-2",
        "snapdragon-8-gen-3",
        "snapdragon-8-elite",
        "dimensity-9300",
        "rb3-gen-2",
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_one_default_board_and_one_default_profile(family: str) -> None:
    assert len([target for target in TARGETS if target.family == family and target.default]) == 1
    assert len([profile for profile in PROFILES if family in profile.families and profile.default]) == 1


def test_no_target_or_profile_is_of_a_family_that_nothing_else_knows() -> None:
    assert {target.family for target in TARGETS} == set(FAMILIES)
    assert {family for profile in PROFILES for family in profile.families} == set(FAMILIES)


@every_target
def test_every_profile_of_a_family_fits_a_runtime_of_its_targets_and_the_default_one_fits_all(target: Target) -> None:
    profiles = [profile for profile in PROFILES if target.family in profile.families]
    assert {profile.precision for profile in profiles} >= {"float32", "float16", "static-int8"}
    for profile in profiles:
        fitting = [runtime for runtime in target.runtime if fits(profile, target, runtime)]
        assert fitting == list(target.runtime) if profile.default else fitting


def fits(profile: Profile, target: Target, runtime: RuntimeSpec) -> bool:
    try:
        profile.check(target, runtime)
    except Misfit:
        return False
    return True


@every_target
def test_every_target_offers_each_backend_once(target: Target) -> None:
    assert sorted(runtime.backend for runtime in target.runtime) == ["executorch", "onnx", "tflite"]


@every_target
def test_every_hardware_fact_names_a_source_of_the_file(target: Target) -> None:
    numbers = {source.partition(" ")[0] for source in target.sources}
    for line in fact_lines(target):
        cited = set(re.findall(r"\[\d+\]", line.partition("#")[2]))
        assert cited, f"no source: {line}"
        assert cited <= numbers, f"no such source: {line}"


@every_target
def test_every_source_is_used_and_can_be_followed(target: Target) -> None:
    text = (builtin_root() / "targets" / f"{target.id}.toml").read_text()
    for source in target.sources:
        number = source.partition(" ")[0]
        assert text.count(number) >= 2, f"nothing cites {source}"
        assert "https://" in source or "Measured by edgekit" in source


@every_target
def test_what_is_emulated_is_the_board_or_says_what_stands_in(target: Target) -> None:
    if target.family == "host":
        assert target.emulation is None
        return
    assert target.emulation
    emulated = any(target.emulation.qemu_cpu in core for core in target.cpu.cores)
    assert emulated is (target.emulation.stands_in is None)


def test_boards_without_dot_products_give_onnx_uint8_where_the_board_is_known() -> None:
    activations = {target.id: target.select_runtime("onnx").activations for target in TARGETS}
    assert activations["raspberry-pi-4"] == activations["raspberry-pi-zero-2w"] == activations["host"] == "uint8"
    assert activations["raspberry-pi-5"] == activations["jetson-orin-nano"] == "int8"


def test_jetson_is_quantized_as_tensorrt_takes_it() -> None:
    quantize = CATALOG.default_profile(CATALOG.target("jetson")).quantize
    assert quantize
    assert quantize.activations.symmetric
    assert quantize.weights.symmetric
    assert quantize.weights.granularity == "per-channel"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.id)
def test_every_profile_begins_by_saying_what_it_buys_and_what_it_costs(profile: Profile) -> None:
    lines = (builtin_root() / "profiles" / f"{profile.id}.toml").read_text().splitlines()
    opening = " ".join(lines[: lines.index("schema = 1")])
    assert opening.startswith("# Buys")
    assert "Costs" in opening
    assert "\n" not in profile.summary


def test_the_name_of_a_family_means_its_default_board() -> None:
    assert CATALOG.target("raspberry-pi").id == "raspberry-pi-5"
    assert CATALOG.target("android").id == "android-arm64"
    assert CATALOG.target("jetson").id == "jetson-orin-nano"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no target is named 'rasberry-pi-5'") as target:
        CATALOG.target("rasberry-pi-5")
    assert target.value.hint == "did you mean 'raspberry-pi-5'?"
    with pytest.raises(UnknownName, match="no profile is named 'float23'") as profile:
        CATALOG.profile("float23")
    assert profile.value.hint == "did you mean 'float32'?"
    with pytest.raises(UnknownName) as nothing:
        CATALOG.target("zx81")
    assert nothing.value.hint == "`edgekit targets` lists them"


def test_a_backend_that_the_target_lacks_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="target 'host' has no backend 'tflit'") as error:
        CATALOG.target("host").select_runtime("tflit")
    assert error.value.hint == "did you mean 'tflite'?"


def test_a_profile_of_another_family_is_refused() -> None:
    target = CATALOG.target("raspberry-pi-5")
    with pytest.raises(Misfit, match="'raspberry-pi-5' is of 'raspberry-pi'"):
        CATALOG.profile("android-int8").check(target, target.select_runtime())


def test_a_project_overrides_and_adds_to_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "raspberry-pi-5.toml").write_text(EXTRA.format(title="Mine"))
    (tmp_path / "targets" / "my-board.toml").write_text(EXTRA.format(title="My board"))
    catalog = Catalog((tmp_path, builtin_root()))
    assert catalog.target("raspberry-pi-5").title == "Mine"
    assert catalog.target("my-board").memory.ram_mb == 64
    assert catalog.target("raspberry-pi-4") == CATALOG.target("raspberry-pi-4")
    ids = [target.id for target in catalog.targets()]
    assert len(ids) == len(set(ids)) == len(TARGETS) + 1


def test_the_project_comes_first_and_the_built_in_catalogue_last(tmp_path: Path) -> None:
    roots = Catalog.default(tmp_path).roots
    assert roots[0] == tmp_path
    assert roots[-1] == builtin_root()


def test_a_family_without_a_default_profile_says_so(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    text = EXTRA.format(title="Odd").replace('"raspberry-pi"', '"toaster"')
    (tmp_path / "targets" / "odd.toml").write_text(text)
    catalog = Catalog((tmp_path, builtin_root()))
    with pytest.raises(UnknownName, match="family 'toaster' has no default profile"):
        catalog.default_profile(catalog.target("odd"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ram_mb = 64", 'ram_mb = "64"'), "'memory.ram_mb': input should be a valid integer"),
        (("ram_mb = 64", "ram_mb = 0"), "'memory.ram_mb': input should be greater than 0"),
        (("ram_mb", "ram"), "'memory.ram_mb': is missing"),
        (('["1x cortex-a53"]', "[]"), "'cpu.cores': should not be empty"),
        (('["[1] made up"]', "[]"), "'sources': should not be empty"),
        (("schema = 1", "schema = 2"), "'schema': input should be 1"),
        (("schema = 1", 'schema = 1\nid = "x"'), "'id': no such key"),
        (("schema = 1", "schema = 1\ndefault = 1"), "'default': input should be a valid boolean"),
        (('["cpu"]', '["cpu"], activation = "int8"'), r"'runtime\.0\.activation': no such key"),
    ],
)
def test_a_target_that_is_wrong_names_its_file_and_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "mine.toml").write_text(EXTRA.format(title="Mine").replace(*change))
    with pytest.raises(SpecError, match=rf"targets/mine\.toml: {message}"):
        Catalog((tmp_path,)).target("mine")
