"""Package URLs: one form of a name, and nothing that ends a part of the URL."""

from __future__ import annotations

import pytest

from edgekit.evidence.package_url import package_url


@pytest.mark.parametrize(
    ("name", "version", "url"),
    [
        ("Torch_Pruning", "1.6.1", "pkg:pypi/torch-pruning@1.6.1"),
        ("torch", "2.13.0+cpu", "pkg:pypi/torch@2.13.0%2Bcpu"),
        ("a/b@c?d#e", "1", "pkg:pypi/a%2Fb%40c%3Fd%23e@1"),
    ],
)
def test_a_url_has_the_name_as_the_index_has_it(name: str, version: str, url: str) -> None:
    assert package_url(name, version) == url
