"""Survey of a folder: the model, the network and the data that a project is made of, asked for where several fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import EdgekitError, ProjectExists, ScaffoldError
from edgekit.scaffold.draft import Data, Draft
from edgekit.scaffold.model_file import ModelFile, StatedInput, model_paths, read_model_file
from edgekit.scaffold.network_class import NetworkClass, network_named, networks
from edgekit.scaffold.picture_folder import PictureFolder, picture_folders, read_picture_folder, usual_size
from edgekit.scaffold.table_file import ArrayFile, CsvTable, read_arrays, read_csv, table_paths
from edgekit.scaffold.weight_shapes import WeightShapes, read_weight_shapes
from edgekit.specs.project import FILE

Ask = Callable[[str, Sequence[str], str], str]
"""Question, the answers that there are (none for any), and the default; returns the answer."""
USUAL_SIZE = 224
FUNCTION = "def network(): net = {name}(…); net.load_state_dict(torch.load('{weights}', weights_only=True)); return net"


@dataclass(frozen=True)
class ProjectParts:
    """Parts of a new project that the user states; the rest is found."""

    model: Path | None = None
    data: Path | None = None
    network: str | None = None
    size: int | None = None
    """Height and width of the model's input, where pictures are of others."""


def check_folder(root: Path) -> None:
    """Raise ProjectExists if there is a project in the folder, around it, or in a folder of it."""
    if not root.is_dir():
        raise ScaffoldError(f"there is no folder '{root}'", hint=f"mkdir -p '{root}'")
    if (root / FILE).exists():
        raise ProjectExists(
            f"'{root}' has a project already: '{FILE}'", hint=f"edgekit build --target host --project '{root}'"
        )
    around = next((folder for folder in root.parents if (folder / FILE).exists()), None)
    if around:
        raise ProjectExists(
            f"'{root}' lies in the project '{around}': two projects in one",
            hint=f"edgekit build --target host --project '{around}'",
        )
    inside = sorted(path.parent for path in root.glob(f"*/{FILE}"))
    if inside:
        names = ", ".join(f"'{folder.name}'" for folder in inside)
        raise ProjectExists(
            f"'{root}' has projects in it: {names}", hint=f"edgekit build --target host --project '{inside[0]}'"
        )


def draft(root: Path, stated: ProjectParts, ask: Ask) -> Draft:
    """Draft a project of what lies in the folder `root`. Nothing is written, and no code of the user is run.

    Raises ProjectExists, ScaffoldError where something is missing or several fit, and what reading a file raises.
    """
    root = root.resolve()
    check_folder(root)
    model = _model(root, stated, ask)
    network = _network(root, stated, model, ask)
    data = _data(root, stated, ask)
    if network and network.loads:
        model = None
    weights = read_weight_shapes(model.path) if model and model.is_weights else None
    inputs, preprocess = _inputs(model, weights, data, stated, ask)
    task = "classification" if data.classes or isinstance(data, PictureFolder) else "regression"
    names = {
        name: f"{name}.py" if not (root / f"{name}.py").exists() else f"edgekit_{name}.py" for name in ("model", "data")
    }
    return Draft(
        root,
        model,
        network,
        data,
        task,
        inputs,
        preprocess,
        licence=ask("licence of the data, such as CC BY 4.0", (), "not stated"),
        source=ask("where the data come from", (), data.path.name),
        names=names,
    )


def _model(root: Path, stated: ProjectParts, ask: Ask) -> ModelFile | None:
    if stated.model:
        return read_model_file(stated.model)
    paths = model_paths(root)
    if not paths:
        return None
    names = [path.name for path in paths]
    chosen = ask("which file is the model, or its weights? (--model)", names, names[0] if len(names) == 1 else "")
    return read_model_file(root / chosen)


def _network(root: Path, stated: ProjectParts, model: ModelFile | None, ask: Ask) -> NetworkClass | None:
    """Network in Python that goes with weights; None for a model that is whole."""
    if model and not model.is_weights:
        return None
    if stated.network:
        return _complete(network_named(stated.network, root), model)
    candidates = networks(root)
    loading = [each for each in candidates if each.loads]
    candidates = loading or candidates
    if not candidates and model is None:
        raise ScaffoldError(
            f"'{root}' has no model: no file of weights, no .onnx, no .pt2, and no network in Python",
            hint="copy yours there, or name it: edgekit init --model FILE --data FOLDER; to look around: "
            "edgekit build --example digits --target host",
        )
    if not candidates:
        assert model is not None  # as the case before says
        raise ScaffoldError(
            f"'{model.path.name}' holds weights and no network, and no Python file in '{root}' defines one",
            hint="copy the file with your nn.Module there, or name one that is installed: "
            "--network torchvision.models:resnet18",
        )
    if not loading and model is None:
        raise ScaffoldError(
            f"'{candidates[0].place}' is a network, and there is no file of its weights in '{root}'",
            hint="torch.save(network.state_dict(), 'weights.pt') where it was trained, and copy that there",
        )
    places = [each.place for each in candidates]
    chosen = ask("which one is the network? (--network)", places, places[0] if len(places) == 1 else "")
    return _complete(candidates[places.index(chosen)], model)


def _complete(network: NetworkClass, model: ModelFile | None) -> NetworkClass:
    """Return the network. Raises ScaffoldError, with the function to write, if it needs arguments."""
    if not network.lacking:
        return network
    weights = model.path.name if model else "weights.pt"
    raise ScaffoldError(
        f"'{network.place}' takes {', '.join(map(repr, network.lacking))}, and nothing says what to give",
        hint=f"write in {network.place.partition(':')[0]}: {FUNCTION.format(name=network.name, weights=weights)}",
    )


def _data(root: Path, stated: ProjectParts, ask: Ask) -> Data:
    if stated.data:
        return _read_data(stated.data.resolve())
    sets: dict[str, Path] = {
        f"{each.path.name}/" if each.path != root else ".": each.path for each in picture_folders(root)
    }
    sets |= {path.name: path for path in table_paths(root)}
    if not sets:
        raise ScaffoldError(
            f"'{root}' has no samples: no folder of pictures, no .csv and no .npz",
            hint="edgekit init --data FOLDER, with a folder of pictures for each class: FOLDER/cat/1.jpg",
        )
    if any(map(_lists_pictures, sets.values())):
        sets = {name: path for name, path in sets.items() if path.is_file()}
    names = list(sets)
    return _read_data(sets[ask("which are the samples? (--data)", names, names[0] if len(names) == 1 else "")])


def _lists_pictures(path: Path) -> bool:
    """True for a table of paths of pictures that are there: the folder that they lie in is no other set."""
    if path.suffix.lower() != ".csv":
        return False
    with contextlib.suppress(EdgekitError):  # told when it is read
        return read_csv(path).pictures
    return False


def _read_data(path: Path) -> Data:
    if path.is_dir():
        data = read_picture_folder(path)
        if data is None:
            raise ScaffoldError(
                f"'{path}' has no picture that edgekit reads",
                hint="one folder a class: FOLDER/cat/1.jpg, as PNG or JPEG",
            )
        return data
    if not path.is_file():
        raise ScaffoldError(f"there is no '{path}'", hint="edgekit init --data FOLDER")
    readers: dict[str, Callable[[Path], Data]] = {".csv": read_csv, ".npz": read_arrays}
    if path.suffix.lower() not in readers:
        raise ScaffoldError(
            f"'{path.name}' is neither a folder of pictures nor .csv nor .npz", hint="a loader: docs/data.md"
        )
    return readers[path.suffix.lower()](path)


def _inputs(
    model: ModelFile | None, weights: WeightShapes | None, data: Data, stated: ProjectParts, ask: Ask
) -> tuple[tuple[StatedInput, ...], dict[str, object] | None]:
    """Inputs with their shapes, and the preprocessing of pictures, as far as it can be told without trying."""
    inputs = model.inputs if model else (StatedInput("x"),)
    if isinstance(data, ArrayFile):
        return _of_arrays(inputs, data)
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise ScaffoldError(
            f"the model takes {len(inputs)} inputs ({names}), and '{data.path.name}' has one",
            hint=f"an .npz with an array for each: np.savez(FILE, {names.replace(', ', '=…, ')}=…, labels=…)",
        )
    if isinstance(data, CsvTable) and not data.pictures:
        count = len(data.features)
        if inputs[0].sizes not in (None, (count,), (None,)):
            raise ScaffoldError(
                f"the model takes {list(inputs[0].sizes or ())} numbers, '{data.path.name}' has {count} columns",
                hint=f"leave columns out of the table; it has: {', '.join(data.features)}",
            )
        return (replace(inputs[0], sizes=(count,)),), None
    if not inputs[0].is_picture:
        raise ScaffoldError(
            f"the model takes {list(inputs[0].sizes or ())}, which is no picture", hint="a loader: docs/data.md"
        )
    sizes = data.sizes if isinstance(data, PictureFolder) else frozenset()
    channels, height, width = _picture_size(inputs[0], weights, data, sizes, stated, ask)
    name = "image" if model is None or model.is_weights or model.inputs == (StatedInput("x"),) else inputs[0].name
    preprocess: dict[str, object] = {"from": "uint8 NHWC"}
    if usual_size(sizes) != (height, width):
        preprocess["resize"] = {"size": [height, width], "kernel": "bilinear"}
    return (StatedInput(name, "float32", (channels, height, width)),), {**preprocess, "scale": 1 / 255}


def _picture_size(
    known: StatedInput,
    weights: WeightShapes | None,
    data: Data,
    sizes: frozenset[tuple[int, int]],
    stated: ProjectParts,
    ask: Ask,
) -> tuple[int, int, int]:
    """Channels, height and width of the pictures that the model takes."""
    channels, height, width = known.sizes or (None, None, None)
    grey = isinstance(data, PictureFolder) and data.grey
    channels = channels or (weights.channels if weights else None) or (1 if grey else 3)
    if height and width:
        return channels, height, width
    common = usual_size(sizes)
    if stated.size:
        common = (stated.size, stated.size)
    if common is None:
        answer = ask("height and width of the model's input, in pixels (--size)", (), str(USUAL_SIZE))
        if not answer.isdecimal() or not 0 < int(answer) <= 1 << 14:
            raise ScaffoldError(f"'{answer}' is no number of pixels", hint=f"--size {USUAL_SIZE}")
        common = (int(answer), int(answer))
    return channels, *common


def _of_arrays(
    inputs: tuple[StatedInput, ...], data: ArrayFile
) -> tuple[tuple[StatedInput, ...], dict[str, object] | None]:
    arrays = {name: (shape, dtype) for name, shape, dtype in data.inputs}
    by_name = all(each.name in arrays for each in inputs)
    if len(inputs) != len(arrays):
        raise ScaffoldError(
            f"the model takes {len(inputs)} inputs, '{data.path.name}' has {len(arrays)} arrays: {', '.join(arrays)}",
            hint="np.savez(FILE, …) with an array for each input, and labels",
        )
    chosen = [arrays[each.name] for each in inputs] if by_name else list(arrays.values())
    shape, dtype = chosen[0]
    if len(inputs) == 1 and dtype == "uint8" and len(shape) == 3 and shape[-1] in (1, 3) and inputs[0].is_picture:
        channels = shape[-1]
        return (StatedInput(inputs[0].name, "float32", (channels, *shape[:2])),), {
            "from": "uint8 NHWC",
            "scale": 1 / 255,
        }
    return tuple(replace(each, sizes=shape) for each, (shape, _) in zip(inputs, chosen, strict=True)), None
