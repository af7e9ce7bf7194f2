"""Changed bundles against the runner on an emulated device, over one connection.

Some of each kind: thousands are tried against the same runner on this machine, in `tests/runner/slots/test_fuzz`.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from random import Random

from edgekit.bundle.signing import SigningKey
from edgekit.devices.emulation import faults
from edgekit.devices.flash import commit, flash, serving, status
from edgekit.devices.transport import Transport
from edgekit.specs.catalog import Catalog
from tests.devices.conftest import HandMade, MakeBundle, with_more
from tests.runner.slot import KEY
from tests.tampered_bundles import mutants

LIMIT_S = 300.0
EDITS = 2
CHANGED = ("manifest.json", "manifest.sig", "more")
WHOLE = "whole"
ATTACK = """
import collections, json, os, shutil, sys, tarfile
from pathlib import Path

program, archive, root, offer = sys.argv[1:]
sys.path.insert(0, program)
from runner.verbs import slots as slot_verbs
from runner.__main__ import _parser
from runner.errors import RunnerError

made, staging, parser = Path(archive).with_suffix(""), Path(root) / "staging", _parser()
with tarfile.open(archive) as members:
    members.extractall(made)

def told(verb, digest, *more):
    try:
        argv = ["slots", verb, root, "token", digest, *more]
        return "missing" if slot_verbs.answer(parser.parse_args(argv)).get("missing") else "accepted"
    except RunnerError as error:
        return error.kind

said = {"begin": collections.Counter(), "install": collections.Counter()}
for mutant in sorted(made.glob("[0-9]*")):
    digest = mutant.name[-64:]
    heads = list(mutant.glob("manifest.*"))
    verb = "begin" if int(mutant.name[:4]) % 3 == 0 and heads else "install"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(made / "whole", staging / digest, copy_function=os.link)
    for path in heads:
        (staging / digest / path.name).unlink()
        shutil.copyfile(path, staging / digest / path.name)
    (staging / digest / "more").unlink()
    archive = staging / (digest + ".tar")
    with tarfile.open(archive, "w") as members:
        for name in {"more", *(path.name for path in mutant.iterdir() if path not in heads)}:
            members.add(mutant / name if (mutant / name).exists() else made / "whole" / name, name)
    answer = told(verb, digest, "--offer=" + offer)
    left = (staging / digest).exists() or (verb == "install" and archive.exists())
    said[verb]["left behind" if left else answer] += 1
told("abort", "0" * 64)
shutil.rmtree(made)
shutil.rmtree(staging, ignore_errors=True)
print(json.dumps(said))
"""


def _archive(bundle: HandMade, path: Path) -> int:
    """A tar of the whole bundle and of what each mutant changes, by the digest it claims. How many there are."""
    folder, count = path.with_suffix(""), 0
    bundle.extract(folder / WHOLE)
    files = {name: bundle.read(name) for name in CHANGED}
    for mutant in mutants(files, SigningKey.generate(), Random(6), EDITS):
        # Whoever changes the manifest may claim its new digest too.
        claimed = hashlib.sha256(mutant["manifest.json"]).hexdigest() if count % 2 else bundle.digest
        for name in (name for name in mutant if mutant[name] != files.get(name)):
            target = folder / f"{count:04}-{claimed}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(mutant[name])
        count += 1
    with tarfile.open(path, "w") as archive:
        archive.add(folder, ".")
    return count


def _kept(device: Transport) -> str:
    """Every file in the slots, the records and what is on its way, by digest."""
    script = f"cd {device.root} && find a b current/ state.json trust.json staging -type f | sort | xargs sha256sum"
    return device.run(["sh", "-c", script], timeout=60).stdout


def test_of_changed_bundles_none_reaches_a_slot_of_an_emulated_device(
    emulation: None, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    old, new = make_bundle("old"), with_more(make_bundle("new"))
    count = _archive(new, tmp_path / "mutants.tar")
    assert count >= 30
    with (
        faults.fresh(Catalog.default().target("raspberry-pi-5")) as started,
        started.connected() as device,
    ):
        commit(flash(old, device))
        runner = serving(device).runner
        before, kept = status(device), _kept(device)
        sent = device.root / "mutants.tar"
        device.push(tmp_path / "mutants.tar", sent)
        argv = [*runner.interpreter, "-c", ATTACK, str(runner.program), str(sent), str(device.root)]
        ended = device.run([*argv, KEY.public.raw.hex()], timeout=LIMIT_S)
        assert ended.returncode == 0, ended.stderr
        document = json.loads(ended.stdout)
        for verb in ("begin", "install"):
            assert set(document[verb]) <= {"signature", "trust", "data"}, document
            assert sum(document[verb].values()) >= 6
        assert sum(document["install"].values()) + sum(document["begin"].values()) == count
        assert status(device) == before
        assert _kept(device) == kept
        commit(flash(new, device))
        assert serving(device).digest == new.digest
