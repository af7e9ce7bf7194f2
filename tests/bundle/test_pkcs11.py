"""Keys in a PKCS #11 token: SoftHSM's, a token in software."""

from __future__ import annotations

import importlib.util
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.bundle import pkcs11
from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.key_uri import key_at
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.passphrase import from_file
from edgekit.bundle.pkcs11 import TokenKey
from edgekit.errors import EdgekitError, KeyLocked, KeyUnreachable, UsageError

MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), *Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")]
MODULE = next((path for path in MODULES if path.is_file()), None)
NAMED = "pkcs11:token=build%20token;object=release"


def _pin(_: str) -> bytes:
    return b"4321"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SoftHSM's configuration: one token, `build token`, with the Ed25519 key `release` and an RSA key `rsa`."""
    if MODULE is None or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM is not installed: apt-get install softhsm2")
    if importlib.util.find_spec("pkcs11") is None:
        pytest.skip("python-pkcs11 is not installed")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        made = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "build token",
            "--so-pin",
            "87654321",
            "--pin",
            "4321",
        ]
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        keys = tmp_path_factory.mktemp("keys")
        for name, algorithm, id in (("release", "ed25519", "01"), ("rsa", "RSA", "02")):
            path = keys / name
            subprocess.run(
                ["openssl", "genpkey", "-algorithm", algorithm, "-out", path], check=True, capture_output=True
            )
            brought = ["--import", str(path), "--token", "build token", "--label", name, "--id", id, "--pin", "4321"]
            subprocess.run(["softhsm2-util", *brought], check=True, capture_output=True, timeout=60)
        yield configuration


@pytest.fixture(autouse=True)
def _module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_PKCS11_MODULE", str(MODULE))
    monkeypatch.delenv("EDGEKIT_PASSPHRASE_FILE", raising=False)


@pytest.mark.usefixtures("token")
def test_a_key_in_a_token_signs_a_bundle_and_does_so_again_to_the_same_bytes(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes]
) -> None:
    key = key_at(NAMED, _pin)
    bundles = [pack(description, files, key, tmp_path / f"{i}.edgekit") for i in range(2)]
    assert bundles[0].digest == bundles[1].digest
    assert Bundle.open(bundles[0].path, [key.public]).signers == (key.public,)
    assert len(key.sign(b"")) == 64
    assert key_at(f"pkcs11:id=%01?module-path={MODULE}", _pin).public == key.public


@pytest.mark.usefixtures("token")
def test_a_named_key_asks_for_the_pin_only_to_sign(tmp_path: Path) -> None:
    prompts: list[str] = []

    def pin(locked: str) -> bytes:
        prompts.append(locked)
        return b"4321"

    store = KeyStore(tmp_path / "keys", pin)
    key = store.add("build", NAMED)
    assert store.public("build") == store.get("build").public == key.public
    assert store.location("build") == NAMED
    assert stat.S_IMODE((store.root / "build.uri").stat().st_mode) == 0o600
    assert prompts == []
    assert len(store.get("build").sign(bytes(1 << 20))) == 64
    assert prompts == ["the token 'build token'"]


@pytest.mark.usefixtures("token")
def test_a_wrong_pin_is_told_and_shown_nowhere() -> None:
    with pytest.raises(KeyLocked, match="the PIN is wrong") as caught:
        key_at(NAMED, lambda _: b"8765").sign(b"text")
    assert "8765" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(KeyLocked, match="nobody is here to ask"):
        key_at(NAMED, from_file).sign(b"text")


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("pkcs11:token=other;object=release", "there is no such token"),
        ("pkcs11:token=build%20token;object=none", "NoSuchKey"),
        ("pkcs11:token=build%20token;object=rsa", "NoSuchKey"),
        ("pkcs11:object=release?module-path=/nowhere.so", "cannot open"),
        ("pkcs11:object=release?module-path=/etc/passwd", "while loading"),
    ],
)
def test_what_is_not_there_is_told(uri: str, message: str) -> None:
    with pytest.raises(KeyUnreachable, match=message):
        key_at(uri, _pin)


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=build",
        "pkcs11:object=release;what=else",
        "pkcs11:object=release?pin-value=4321",
        "pkcs11:object=release?pin-source=/etc/pin",
        "pkcs11:object=%ff",
        "pkcs11:object=\udcff",
        "pkcs11:\udcff",
        "pkcs11:id=",
        "pkcs11:object=a?module-path=%ff",
    ],
)
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="a PIN is not named" if "pin-" in uri else None) as caught:
        TokenKey.parse(uri, _pin)
    assert "4321" not in f"{caught.value} {caught.value.hint}"


def test_a_module_that_crashes_or_hangs_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    bodies = {"crash": "__builtin_trap();", "hang": "pause();", "leave": 'puts("{}"); exit(0);'}
    message = {"crash": "gave no answer", "hang": "did not answer within", "leave": "gave no answer"}
    monkeypatch.setattr(pkcs11, "LIMIT_S", 2.0)
    for name, body in bodies.items():
        source, module = tmp_path / f"{name}.c", tmp_path / f"{name}.so"
        headers = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        source.write_text(headers + f"__attribute__((constructor)) void start(void) {{ {body} }}\n")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", module, source], check=True, timeout=60)
        with pytest.raises(EdgekitError, match=message[name]) as caught:
            key_at(f"pkcs11:object=a?module-path={module}", _pin)
        assert isinstance(caught.value, KeyUnreachable)
    assert capfd.readouterr() == ("", ""), "what a module writes reaches nobody's terminal"
