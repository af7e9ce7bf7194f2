"""`device`: names for devices, emulated devices that stay; its parts `device_trust` and `device_repair`."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import Annotated

import typer

from edgekit.api.devices import add_device
from edgekit.cache import Cache
from edgekit.cli import completion, options
from edgekit.cli.device_repair import repair_command
from edgekit.cli.device_serve import serve_command
from edgekit.cli.device_trust import trust_command
from edgekit.cli.output import note, print_json, print_table, progress, say, say_lines
from edgekit.devices.emulation import registry
from edgekit.devices.emulation.registry import Card
from edgekit.devices.emulation.transport import shell
from edgekit.devices.inventory import Book
from edgekit.errors import BootFailed, OptionError
from edgekit.pipeline.ping import Pong, ping
from edgekit.specs.catalog import Catalog

Name = Annotated[str, typer.Argument(metavar="NAME", help="A target's id, or a name of yours with --target.")]
Running = Annotated[str, typer.Argument(metavar="NAME", help="As `edgekit device list` says it.")]

NewName = Annotated[str, typer.Argument(metavar="NAME", help="Of yours: letters, digits and dashes.")]
KnownName = Annotated[str, typer.Argument(metavar="NAME", help="As it was added.", autocompletion=completion.devices)]

group = typer.Typer(
    no_args_is_help=True, help="Name devices, ask, trust and repair them; start, list, look into and end emulated ones."
)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="device")
    group.command("trust")(trust_command)
    group.command("repair")(repair_command)
    group.command("serve")(serve_command)


@group.command("add")
def add_command(
    name: NewName,
    url: Annotated[str, typer.Argument(metavar="URL", help="ssh://user@host, adb://SERIAL, local:///folder")],
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="ID|FAMILY", help="Which board it is.", autocompletion=completion.targets),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="G", help="One that it is in.", autocompletion=completion.device_groups),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only if it answers.")] = False,
    json: options.Json = False,
) -> None:
    """Name a device: `--device NAME` is it from then on. It need not be there."""
    entry = add_device(name, url, target, groups or (), check=check)
    if json:
        print_json({"schema": 1, "device": {"name": name, **entry.model_dump(mode="json")}})
        return
    say(f"{name} is {url}")


@group.command("remove")
def remove_command(name: KnownName, json: options.Json = False) -> None:
    """Forget a device's name. On the device, nothing changes."""
    Book.of_user().remove(name)
    if json:
        print_json({"schema": 1, "removed": name})
        return
    say(f"{name} is forgotten")


@group.command("ping")
def ping_command(device: options.DeviceArgument, json: options.Json = False) -> None:
    """Ask whether a device answers, what it is and runs models with, and what it serves."""
    with progress(f"ping {device}"):
        pong = ping(device)
    if json:
        parts = {"info": pong.info, "served": pong.served}
        shown = {name: value and value.model_dump(mode="json") for name, value in parts.items()}
        print_json({"schema": 1, "device": device, "url": pong.url, "seconds": round(pong.seconds, 3), **shown})
        return
    say(f"{device} answers in {pong.seconds:.2f} s")
    print_table(("device", ""), _pong_rows(pong))


@group.command("up")
def up_command(
    name: Name,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", metavar="ID", help="Which board; default: NAME.", autocompletion=completion.target_ids
        ),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1024, max=65535, help="Of 127.0.0.1, for ssh.")] = None,
    json: options.Json = False,
) -> None:
    """Start an emulated device that stays: `--device emulated://NAME` is this one from then on.

    The first of all fetches QEMU and Debian and makes the image; from then on it takes a second.
    """
    board = Catalog.default().target(target or name)
    with progress(f"device {name}"):
        card = registry.up(name, board, Cache.of_downloads(), port)
    if json:
        print_json({"schema": 1, "device": _shown(card)})
        return
    say(f"emulated://{card.name} is up: {card.cpu}, {card.ram_mb} MB, ssh on port {card.ssh}")
    if board.emulation and board.emulation.stands_in:
        note(board.emulation.stands_in)


@group.command("down")
def down_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one that is up.")] = False,
    json: options.Json = False,
) -> None:
    """End emulated devices, and remove everything of them."""
    if bool(names) == everything:
        raise OptionError("say which: names, or --all", hint="edgekit device list")
    ended = names or [card.name for card in registry.cards() if card.state != "in use"]
    for name in ended:
        registry.down(name)
        if not json:
            say(f"emulated://{name} is down")
    if json:
        print_json({"schema": 1, "down": ended})


@group.command("list")
def list_command(json: options.Json = False) -> None:
    """The devices that have a name, and the emulated ones that are there."""
    cards, book = registry.cards(), Book.of_user().entries()
    if json:
        named = [{"name": name, **entry.model_dump(mode="json")} for name, entry in book.items()]
        print_json({"schema": 1, "devices": [_shown(card) for card in cards], "named": named})
        return
    rows = [(name, entry.url, entry.target or "", " ".join(entry.groups), "") for name, entry in book.items()]
    rows += [(card.name, f"emulated://{card.name}", card.target, "", _state(card)) for card in cards]
    print_table(("name", "url", "target", "groups", "state"), rows)


@group.command("shell", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def shell_command(
    name: Running, argv: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]…")] = None
) -> None:
    """A shell on an emulated device, or one command there."""
    card = registry.find(name)
    if card.state == "ended":
        raise BootFailed(f"'{name}' has ended", hint=f"edgekit device logs {name}")
    raise typer.Exit(subprocess.call(shell(card, argv or [])))  # no limit: a person ends it


@group.command("logs")
def logs_command(name: Running) -> None:
    """Print what the device's console said."""
    say_lines(registry.console(name))


def _shown(card: Card) -> dict[str, object]:
    shown = ("name", "target", "cpu", "ram_mb", "transport", "ssh", "adb")
    return {name: value for name, value in asdict(card).items() if name in shown} | {
        "url": f"emulated://{card.name}",
        "state": card.state,
    }


def _state(card: Card) -> str:
    return f"{card.state}: {card.cpu}, {card.ram_mb} MB, by {card.transport}"


def _pong_rows(pong: Pong) -> list[tuple[str, str]]:
    info = pong.info
    if info is None:
        return [("python", "none: `edgekit flash` brings one along")]
    memory = f", {info.ram_bytes / 1e6:,.0f} MB" if info.ram_bytes else ""
    served = pong.served
    whole = "" if served is None or served.whole else ", DAMAGED"
    return [
        ("machine", f"{info.machine} {info.cpu or ''}".strip() + f", {info.cores} cores{memory}"),
        ("system", info.system),
        ("python", info.python),
        *((f"runs .{format}", runtime) for format, runtime in info.runtimes.items() if runtime),
        ("serves", f"{served.digest}{whole}" if served else "nothing"),
    ]
