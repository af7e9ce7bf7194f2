"""Projects: a user's description of a model, its data and its reference (`edgekit.toml`)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from edgekit.errors import SpecError
from edgekit.errors.faults import Faults
from edgekit.ir.signature import FreeLength, TensorSpec
from edgekit.runner.model.lengths import LENGTHS as LENGTHS
from edgekit.specs.array_functions import check_functions
from edgekit.specs.factory import Factory
from edgekit.specs.input_lengths import lengths_of
from edgekit.specs.inputs import Input
from edgekit.specs.model import ModelSpec
from edgekit.specs.model_files import check_model_files
from edgekit.specs.onnx_inputs import with_onnx_inputs
from edgekit.specs.outside import NOISE, OutsideScoreName
from edgekit.specs.policy import Policy
from edgekit.specs.profile import Gates
from edgekit.specs.reference import Reference
from edgekit.specs.release import Moment, check_floor
from edgekit.specs.robustness import RobustnessSpec
from edgekit.specs.spec import Flag, Spec, parse, read_toml
from edgekit.specs.state import StateTable, arguments, check_state
from edgekit.specs.tensor_names import InputEdge

FILE = "edgekit.toml"


class DataSet(Spec):
    """Source of samples, and their licence. Exactly one of `path` and `loader` is stated."""

    path: str | None = None
    """`.npz`, `.parquet`, or a folder of class folders of images; relative to the project."""
    loader: Factory | None = None
    """A function that returns a map-style data set: `len()` and `[i] -> (input, label)`."""
    labelled: Flag = True
    """False for samples without ground truth: the artifact is then compared with the reference alone."""
    group: str | None = None
    """Source of the groups of samples that are not independent, such as frames of one video: an array of the `.npz`, a
    column of the Parquet file, an attribute of the loader's set, or `folder`, the folder that a file lies in."""
    licence: str
    source: str
    consent: str | None = None
    """Consent of the people that the data are about, in words; carried into report and bundle."""
    personal: Flag | None = None
    """True if it holds personal data, false if it does not; None where that is not stated."""
    slices: Factory | tuple[str, ...] | None = None
    """Columns of metadata by which the evaluation set is sliced, or a function of its samples (docs/slices.md)."""

    @model_validator(mode="after")
    def _one(self) -> DataSet:
        if (self.path is None) == (self.loader is None):
            raise ValueError("a data set needs exactly one of 'path' and 'loader'")
        return self

    @model_validator(mode="after")
    def _sliced(self) -> DataSet:
        if isinstance(self.slices, tuple) and len(set(self.slices)) != len(self.slices):
            raise ValueError("'slices' names a column twice")
        if self.slices == ():
            raise ValueError("'slices' names no column: leave it out")
        return self


class OutsideSet(DataSet):
    """Samples from outside of the distribution that the model is made for; or noise, which is generated."""

    noise: Flag = False
    """True for generated samples, which `outside = "noise"` states too."""
    labelled: Flag = False
    score: OutsideScoreName = "max-softmax"
    """Score by which they are told from evaluation samples, and which the gate `outside_auroc_drop` reads."""

    @model_validator(mode="before")
    @classmethod
    def _generated(cls, values: Any) -> Any:
        if values == NOISE:
            values = {"noise": True}
        if isinstance(values, str):
            raise ValueError(f'expected "{NOISE}", or a table with path or loader, licence and source')
        if isinstance(values, dict) and values.get("noise") is True:
            return {"licence": "none", "source": NOISE, **values}
        return values

    @model_validator(mode="after")
    def _one(self) -> OutsideSet:
        if [self.path, self.loader, self.noise or None].count(None) != 2:
            raise ValueError("'outside' is \"noise\", or needs exactly one of 'path' and 'loader'")
        return self


class DataSpec(Spec):
    training: DataSet | None = None
    calibration: DataSet | None = None
    evaluation: DataSet
    outside: OutsideSet | None = None

    @model_validator(mode="after")
    def _slices_of_evaluation(self) -> DataSpec:
        for role in ("training", "calibration"):
            declared = getattr(self, role)
            if declared and declared.slices:
                raise ValueError(f"'slices' of {role} data slice nothing: state them under evaluation")
        return self


class Project(Spec):
    """A model, its inputs, its data, and what it is compared with."""

    name: str
    root: Path
    model: ModelSpec
    inputs: dict[InputEdge, Input] = Field(min_length=1)
    state: StateTable = Field(default={})
    """Inputs that are outputs of the step before; with any, samples are sequences of steps."""
    data: DataSpec
    task: dict[str, Any] = Field(default_factory=dict)
    """Options of the task that `[model] task` names; which ones there are, the task says (docs/tasks.md)."""
    gates: Gates = Gates()
    """Gates of this project, which take the place of the profile's of the same name."""
    policy: Policy = Policy()
    """Terms that the data sets must have; the gate `licences` says whether they do."""
    robustness: RobustnessSpec | None = None
    """Perturbed samples that are measured, in the place of the profile's."""
    reference: Reference = Reference()
    version: int = Field(default=0, ge=0)
    """Version of the model. Devices refuse versions below their floor (anti-rollback)."""
    floor: int = Field(default=0, ge=0)
    """Oldest version that a device may run once this one is committed (anti-rollback)."""
    expires: Moment | None = None
    """Expiry: last moment at which devices may install it, UTC; None for ever. A date counts to its end."""

    def __repr__(self) -> str:
        return f"<Project {self.name}>"

    @model_validator(mode="after")
    def _admits_itself(self) -> Project:
        check_floor(self.version, self.floor)
        return self

    @model_validator(mode="after")
    def _state_fits(self) -> Project:
        check_state(self.inputs, self.state, self.model.outputs)
        if self.state and self.reference.address:
            raise ValueError("a model with [state] has no reference behind a server: [reference] url = 'eager'")
        if self.state and lengths_of(self.inputs):
            raise ValueError("a model with [state] takes steps of one size: free lengths of [inputs] go without it")
        return self

    @model_validator(mode="after")
    def _lengths_agree(self) -> Project:
        columns = {f"{length.name}{LENGTHS}" for length in lengths_of(self.inputs)} & self.inputs.keys()
        if columns:
            raise ValueError(f"no input can be named '{min(columns)}': the lengths of the samples are")
        return self

    @property
    def arguments(self) -> tuple[TensorSpec, ...]:
        """Arguments of the model, in order: those of `[inputs]`, then those of `[state]`."""
        return arguments(self.inputs, self.state)

    @property
    def lengths(self) -> tuple[FreeLength, ...]:
        """Free lengths of the inputs, each with its buckets; empty where every sample has the same shapes."""
        return lengths_of(self.inputs)

    @property
    def prefill(self) -> tuple[int, ...]:
        """Numbers of tokens that the decoder has an entry point for, beside the one that reads a single token."""
        return next((spec.prefill for spec in self.inputs.values() if spec.prefill), ())

    @property
    def baseline(self) -> Path | None:
        """Folder of the earlier run that this project is compared with, if it names one."""
        return self.root / self.reference.baseline if self.reference.baseline else None

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Read the project in `folder`. Raises SpecError if there is none, or if its file is wrong."""
        path = folder / FILE
        if not path.is_file():
            raise SpecError(
                f"no '{FILE}' in '{folder}'",
                hint="edgekit init writes one; --project DIR names another; or edgekit build --example digits",
            )
        root, faults = folder.resolve(), Faults()
        values = with_onnx_inputs(read_toml(path), root)  # without them, no input is known
        project, model = None, None
        with faults.collect():
            project = parse(cls, values, str(path), derived={"name": root.name, "root": root})
        with contextlib.suppress(SpecError):  # told above
            model = project.model if project else parse(ModelSpec, _known_keys(values.get("model")), str(path))
        if project:
            with faults.collect():
                check_functions(project.inputs, root)
        if model:
            with faults.collect():
                check_model_files(model, root)
        faults.check()
        assert project is not None  # else a fault was raised
        return project


def _known_keys(table: object) -> dict[str, Any]:
    """The keys of `[model]` that there are, of a table that may have others."""
    stated = table if isinstance(table, dict) else {}
    return {key: value for key, value in stated.items() if key in ModelSpec.model_fields}
