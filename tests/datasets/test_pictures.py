"""One rule for each kind of picture (docs/data.md): right values, and what was changed."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets.pictures import CHANGES, ORIENTATION, read_picture, tally
from edgekit.errors import DataError, PictureError

HEIGHT, WIDTH = 4, 6
RAMP = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) * 10
RGB = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=-1)
COLOUR, GREY = (HEIGHT, WIDTH, 3), (HEIGHT, WIDTH, 1)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(image: Image.Image, shape: tuple[int, ...], form: str = "PNG", **options: Any) -> tuple[Any, set[str]]:
    picture = read_picture(io.BytesIO(encoded(image, form, **options)), shape, "'a.png'")
    assert (picture.pixels.shape, picture.pixels.dtype) == (shape, np.dtype(np.uint8))
    return picture.pixels, set(picture.changes)


def grey(values: Any) -> Any:
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP"])
def test_colour_is_read_as_it_is(form: str) -> None:
    pixels, changes = read(Image.fromarray(RGB), COLOUR, form, **({"lossless": True} if form == "WEBP" else {}))
    assert np.array_equal(pixels, RGB)
    assert changes == set()


def test_grey_is_read_as_it_is_and_repeated_where_three_channels_are_stated() -> None:
    assert read(Image.fromarray(RAMP), GREY)[1] == set()
    pixels, changes = read(Image.fromarray(RAMP), COLOUR)
    assert np.array_equal(pixels, grey(RAMP))
    assert changes == {"grey"}


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(form: str) -> None:
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257 + 100)
    pixels, changes = read(deep, GREY, form)
    assert np.array_equal(pixels[..., 0], RAMP)
    assert changes == {"16 bits"}
    assert len(np.unique(pixels)) == HEIGHT * WIDTH  # not two levels


def test_sixteen_bits_of_colour_are_told_too() -> None:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in RGB)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    picture = read_picture(io.BytesIO(data), COLOUR, "'a.png'")
    assert np.array_equal(picture.pixels, RGB)
    assert picture.changes == {"16 bits"}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("tag", "stored"),
    [(3, RGB[::-1, ::-1]), (6, np.rot90(RGB)), (8, np.rot90(RGB, -1)), (2, RGB[:, ::-1])],
)
def test_the_orientation_is_applied(form: str, tag: int, stored: Any) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    options: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    pixels, changes = read(
        Image.fromarray(np.ascontiguousarray(stored)), COLOUR, form, exif=exif, **options.get(form, {})
    )
    assert np.abs(pixels.astype(int) - RGB).max() <= (4 if form == "JPEG" else 0)
    assert changes == {"orientation"}


def test_an_orientation_of_none_is_no_change() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    assert read(Image.fromarray(RGB), COLOUR, exif=exif)[1] == set()


def test_what_is_transparent_is_laid_on_white() -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[0], alpha[1] = 0, 128
    pixels, changes = read(Image.fromarray(np.dstack([RGB, alpha])), COLOUR)
    assert (pixels[0] == 255).all()
    assert np.array_equal(pixels[2:], RGB[2:])
    assert np.abs(pixels[1] - (RGB[1] * 0.5 + 255 * 0.5)).max() <= 1
    assert changes == {"transparency"}
    pixels, changes = read(Image.fromarray(np.dstack([RAMP, alpha]), "LA"), GREY)
    assert (pixels[0] == 255).all()
    assert changes == {"transparency"}


def test_an_alpha_channel_that_hides_nothing_is_no_change() -> None:
    pixels, changes = read(Image.fromarray(np.dstack([RGB, np.full_like(RAMP, 255)])), COLOUR)
    assert np.array_equal(pixels, RGB)
    assert changes == set()


def test_a_palette_is_looked_up_and_its_transparent_colour_is_laid_on_white() -> None:
    image = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH), "P")
    image.putpalette(RGB.reshape(-1).tolist())
    pixels, changes = read(image, COLOUR)
    assert np.array_equal(pixels, RGB)
    assert changes == set()
    pixels, changes = read(image, COLOUR, transparency=5)
    assert pixels[0, 5].tolist() == [255, 255, 255]
    assert np.array_equal(pixels[1:], RGB[1:])
    assert changes == {"transparency"}


def test_one_bit_is_black_or_white() -> None:
    bits = RAMP > 100
    pixels, changes = read(Image.fromarray(bits), GREY)
    assert np.array_equal(pixels[..., 0], bits * np.uint8(255))
    assert changes == set()


def test_cmyk_is_converted_and_told() -> None:
    pixels, changes = read(Image.fromarray(RGB).convert("CMYK"), COLOUR, "TIFF")
    assert np.abs(pixels.astype(int) - RGB).max() <= 1
    assert changes == {"cmyk"}


def test_colour_is_made_grey_where_one_channel_is_stated_and_grey_stored_as_colour_is_not_touched() -> None:
    pixels, changes = read(Image.fromarray(RGB), GREY)
    assert np.abs(pixels[..., 0] - RGB @ [0.299, 0.587, 0.114]).max() <= 1
    assert changes == {"colour"}
    pixels, changes = read(Image.fromarray(grey(RAMP)), GREY)
    assert np.array_equal(pixels[..., 0], RAMP)
    assert changes == set()


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PNG", "WEBP"])
def test_of_several_frames_the_first_is_taken(form: str) -> None:
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8)) for value in (0, 255)]
    pixels, changes = read(frames[0], COLOUR, form, save_all=True, append_images=frames[1:])
    assert (pixels == 0).all()
    assert changes == {"frames"}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_a_file_that_is_cut_short_is_refused_by_name(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, form)
    for left in (0, 10, len(data) // 2):
        with pytest.raises(PictureError, match=r"'cat/1\.png' cannot be read as a picture"):
            read_picture(io.BytesIO(data[:left]), (64, 64, 3), "'cat/1.png'")


def test_what_is_no_picture_is_refused_and_no_program_is_run_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("a program was run"))
    postscript = encoded(Image.fromarray(RGB), "EPS")
    for data in (b"", b"hello", postscript):
        with pytest.raises(PictureError):
            read_picture(io.BytesIO(data), COLOUR, "'a.png'")


def test_values_of_32_bits_are_refused() -> None:
    with pytest.raises(PictureError, match="values of 32 bits"):
        read(Image.fromarray(RAMP.astype(np.int32)), GREY, "TIFF")


def bomb(width: int, height: int) -> bytes:
    """The header of a PNG so large, and hardly a byte of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize("size", [(12_000, 12_000), (200_000, 200_000)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(DataError):
        read_picture(io.BytesIO(bomb(*size)), COLOUR, "'a.png'")


def test_a_picture_of_another_size_is_refused_with_both() -> None:
    with pytest.raises(DataError, match=r"'a\.png' has 6 x 4 pixels, the project states 5 x 4"):
        read(Image.fromarray(RGB), (HEIGHT, 5, 3))


def test_changes_are_counted_over_all_pictures() -> None:
    changes = [frozenset({"orientation", "grey"}), frozenset({"grey"}), frozenset[str]()]
    assert tally(changes) == (
        f"1 of 3 pictures: {CHANGES['orientation']}",
        f"2 of 3 pictures: {CHANGES['grey']}",
    )
    assert tally([frozenset()]) == tally([]) == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "it holds HEIC, whatever its name says"),
        (b"\0\0\0\x18ftypqt  " + bytes(20), "it holds a video"),
        (b"\n<svg xmlns='x'/>", "it holds SVG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it holds a pointer of Git LFS"),
        (b"hello", "its bytes are of no picture"),
    ],
)
def test_what_is_no_picture_is_told_by_its_content(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for file in (path, io.BytesIO(content)):
        with pytest.raises(PictureError, match=f"'a.jpg' cannot be read as a picture: {reason}"):
            read_picture(file, COLOUR, "'a.jpg'")
