"""Signatures of files that are often named as pictures and are none that edgekit reads: what the bytes begin with."""

from __future__ import annotations

BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"isom", b"mp41", b"mp42", b"qt  "), "a video"),
}
"""Kinds by the brand of a file of ISO base media (ISO/IEC 14496-12), which stands after `ftyp`."""
BEGINNINGS = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"8BPS", "a file of Photoshop"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML, as SVG is"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself"),
)
LENGTH = 64
"""Bytes that tell the kind."""


def kind(beginning: bytes) -> str | None:
    """Kind of a file by its first `LENGTH` bytes, such as `HEIC`; None if they are of none of these."""
    if beginning[4:8] == b"ftyp":
        return BRANDS.get(beginning[8:12], "no picture, but a file of ISO media")
    text = beginning.lstrip()
    return next((name for start, name in BEGINNINGS if beginning.startswith(start) or text.startswith(start)), None)
