"""`python -m inside SERVER SLOT NAME HTTP_PORT GRPC_PORT`: a server on loopback, while its standard input is open.

The folder that the slot is in is the server's own, and is removed at the end, even if whoever started it is gone.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import traceback
from pathlib import Path

if __name__ == "__main__":
    kind, slot, name, http_port, grpc_port = sys.argv[1:]
    try:
        importlib.import_module(f"inside.{kind}").serve(Path(slot), name, int(http_port), int(grpc_port))
    except BaseException:  # noqa: BLE001
        traceback.print_exc()  # into the log, whose last lines are shown
        sys.stderr.flush()
        os._exit(1)  # here and below: threads that a server leaves behind would be waited for
    shutil.rmtree(Path(slot).parent, ignore_errors=True)
    os._exit(0)
