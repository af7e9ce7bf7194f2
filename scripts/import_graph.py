"""`python -m scripts.import_graph [FOLDER …]`: what imports what below each folder of `edgekit/`, and every circle.

Every import counts: also one inside a function, and one for type checkers only. Ends with exit 1 if there is a circle.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp

FOLDERS = ("runner", "devices", "measure", "pipeline", "report")
Graph = dict[str, set[str]]


def whole_graph(package: str = "edgekit") -> grimp.ImportGraph:
    """The imports of a package; to build it takes seconds."""
    return grimp.build_graph(package, cache_dir=None)


def module_graph(folder: str, package: str = "edgekit", whole: grimp.ImportGraph | None = None) -> Graph:
    """The modules below `edgekit/FOLDER`, each with those among them that it imports; names begin below the folder.

    whole: the imports of the package, where they are at hand.
    """
    root = f"{package}.{folder}"
    whole = whole or whole_graph(package)
    modules = [module for module in whole.modules if module.startswith(f"{root}.")]
    prefix = len(root) + 1
    return {
        module[prefix:]: {
            imported[prefix:]
            for imported in whole.find_modules_directly_imported_by(module)
            if imported.startswith(f"{root}.")
        }
        for module in modules
    }


def room_graph(modules: Mapping[str, Iterable[str]]) -> Graph:
    """The same between rooms: folders, and the modules that lie in none."""
    rooms: Graph = {}
    for module, imported in modules.items():
        room = module.partition(".")[0]
        rooms.setdefault(room, set()).update({name.partition(".")[0] for name in imported} - {room})
    return rooms


def circle(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    """One circle of the graph, its first name again at its end; None if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names
    return None


def main(folders: list[str]) -> int:
    """Print rooms, from those that nothing imports down, and the circles. The exit code is 1 if there is one."""
    code, whole = 0, whole_graph()
    for folder in folders or FOLDERS:
        modules = module_graph(folder, whole=whole)
        rooms = room_graph(modules)
        print(f"edgekit/{folder}: {len(modules)} modules, {sum(map(len, modules.values()))} imports")
        circles = {"modules": circle(modules), "rooms": circle(rooms)}
        order = sorted(rooms) if circles["rooms"] else reversed([*TopologicalSorter(rooms).static_order()])
        for room in order:
            print(f"  {room:<24} → {' '.join(sorted(rooms[room])) or '-'}")
        for kind, names in circles.items():
            if names:
                print(f"  circle of {kind}: {' → '.join(names)}")
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
