"""Import of executorch's edge dialect, whose table PyYAML's parser in C reads in a twelfth of the time.

executorch 1.5.1 reads the table with ruamel.yaml in every process that imports it: 0.95 s of CPU in Python. Both
packages come with it.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any
from unittest.mock import patch

DIALECT = "executorch.exir.dialects.edge._ops"


def quick_yaml() -> contextlib.AbstractContextManager[Any]:
    """Context in which ruamel.yaml loads texts by PyYAML's parser in C; as it does itself where that is missing."""
    try:
        parser, loader = importlib.import_module("yaml"), importlib.import_module("ruamel.yaml").YAML
        in_c = parser.CSafeLoader
    except (ImportError, AttributeError):
        return contextlib.nullcontext()
    return patch.object(loader, "load", lambda _, text: parser.load(text, Loader=in_c))


with quick_yaml():
    importlib.import_module(DIALECT)
