"""Options of a session of onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest


def session_options(runtime: Any, manifest: RunnerManifest, threads: int) -> Any:
    """Make the options of a session that computes with so many threads; the manifest's are its config entries.

    runtime: module of onnxruntime, of any build.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    for key, value in manifest.options:
        options.add_session_config_entry(key, value)
    return options
