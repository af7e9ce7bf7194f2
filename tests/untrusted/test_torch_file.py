"""Files of torch are told apart, and pickles judged, without torch and without running anything."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted.torch_file import PICKLE, PROGRAM, SAFETENSORS, SCRIPT, STATE, foreign_code, torch_file_kind


def archive(*names: str, content: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name in names:
            written.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (archive("net/data.pkl", "net/version"), STATE),
        (archive("net/data.pkl", "net/constants.pkl"), SCRIPT),
        (archive("net/archive_format", "net/models/model.json"), PROGRAM),
        (archive("serialized_exported_program.json"), PROGRAM),
        ((2).to_bytes(8, "little") + b"{}", SAFETENSORS),
        (pickle.dumps({}), PICKLE),
        (archive("photo.png"), ""),
        (b"GIF89a", ""),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert torch_file_kind(tmp_path / "file") == kind


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"PK\3\4", "no whole archive"), (b"version https://git-lfs.github.com/spec/v1", "Git LFS")],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        torch_file_kind(tmp_path / "file")


def test_the_end_of_an_archive_inside_is_not_taken_for_the_file(tmp_path: Path) -> None:
    program = archive("net/archive_format", "net/data/weights/weight_0", content=archive("weight/data.pkl"))
    (tmp_path / "net.pt2").write_bytes(program[: program.index(b"PK\1\2", -200)])  # cut before its directory
    with pytest.raises(ValueError, match="its end is missing"):
        torch_file_kind(tmp_path / "net.pt2")


def test_an_archive_that_unpacks_to_far_more_than_it_has_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w", zipfile.ZIP_DEFLATED) as bomb:
        with bomb.open("net/models/model.json", "w") as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
        bomb.writestr("net/archive_format", "pt2")
    with pytest.raises(ValueError, match=r"it unpacks to 314,5\d\d,\d+ bytes, and has"):
        torch_file_kind(tmp_path / "net.pt2")


class Harm:
    """An object whose pickle calls a function with an argument."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return exec, (f"open({self.path!r}, 'w')",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    harm = tmp_path / "harm"
    inner = pickle.dumps({"x": Harm(harm), "y": OrderedDict()}, protocol)
    (tmp_path / "plain").write_bytes(inner)
    (tmp_path / "zipped").write_bytes(archive("net/data.pkl", content=inner))
    for name in ("plain", "zipped"):
        assert [each.rpartition(".")[2] for each in foreign_code(tmp_path / name)] == ["exec"]
    assert not harm.exists()


def test_containers_and_tensors_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(pickle.dumps([OrderedDict(a=1), {1, 2}, bytearray(b"x"), 1.5]))
    assert foreign_code(tmp_path / "file") == []


WHOLE = pickle.dumps({"x": [OrderedDict(a=1), Harm(Path("x"))]}, 2)


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_pickle_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, put: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(WHOLE[:place] + put + WHOLE[place + cut :])
    try:
        names = foreign_code(path)
    except ValueError:
        return
    assert all(isinstance(name, str) for name in names)
