"""Devices have names, in a file that people edit too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.devices.inventory import Book, DeviceEntry
from edgekit.errors import OptionError, SpecError, UnknownName

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,12}", fullmatch=True).filter(lambda name: name != "emulated")
ENTRIES = st.builds(
    DeviceEntry,
    url=st.sampled_from(["ssh://pi@kitchen", "adb://R58", 'local:///a "b" \\c', "ssh://x:22#ü"]),
    target=st.none() | NAMES,
    groups=st.lists(NAMES, max_size=3, unique=True).map(tuple),
)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "devices.toml")


@given(entries=st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=6), data=st.data())
def test_what_is_added_is_found_and_what_is_removed_is_gone(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, DeviceEntry], data: st.DataObject
) -> None:
    book = Book(tmp_path_factory.mktemp("book") / "devices.toml")
    for name, entry in entries.items():
        book.add(name, entry)
    assert book.entries() == entries
    gone = data.draw(st.sampled_from(sorted(entries)))
    book.remove(gone)
    assert book.entries() == {name: entry for name, entry in entries.items() if name != gone}


def test_what_people_wrote_stays(book: Book) -> None:
    book.path.write_text('# ours\n[one]\nurl = "ssh://one"  # by the door\n\n# the other\n[two]\nurl = "ssh://two"\n')
    book.add("three", DeviceEntry(url="ssh://three", groups=("attic",)))
    book.remove("one")
    written = book.path.read_text()
    assert written.startswith("# ours\n# the other\n[two]")
    assert list(book.entries()) == ["two", "three"]
    assert book.members("attic") == ("three",)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[pi]\nurl = "pi"\n', "should be a URL"),
        ('[pi]\nurl = "ssh://pi"\ngroup = ["x"]\n', "group"),
        ('pi = "ssh://pi"\n', "should be a table"),
        ('[emulated]\nurl = "ssh://pi"\n', "cannot be a device's name"),
        ("[pi\n", "is not TOML"),
    ],
)
def test_a_file_that_is_wrong_names_its_key(book: Book, written: str, said: str) -> None:
    book.path.write_text(written)
    with pytest.raises(SpecError, match=said):
        book.entries()
    assert book.path.read_text() == written


def test_names_that_are_taken_or_cannot_be_are_refused(book: Book) -> None:
    book.add("pi", DeviceEntry(url="ssh://pi"))
    for name in ("pi", "emulated", "p i", ""):
        with pytest.raises(OptionError):
            book.add(name, DeviceEntry(url="ssh://other"))
    assert book.entries() == {"pi": DeviceEntry(url="ssh://pi")}


def test_unknown_names_say_the_nearest(book: Book) -> None:
    book.add("kitchen", DeviceEntry(url="ssh://pi", groups=("ground",)))
    with pytest.raises(UnknownName) as caught:
        book.find("kitchn")
    assert caught.value.hint == "did you mean 'kitchen'?"
    with pytest.raises(UnknownName) as caught:
        book.members("grund")
    assert caught.value.hint == "did you mean 'ground'?"


def test_of_several_at_once_no_entry_is_lost(book: Book) -> None:
    script = (
        "import sys; from pathlib import Path; from edgekit.devices.inventory import Book, DeviceEntry\n"
        "for i in range(5): Book(Path(sys.argv[1])).add(f'{sys.argv[2]}-{i}', DeviceEntry(url='ssh://x'))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(book.path), name]) for name in "abcd"]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(book.entries()) == 20
