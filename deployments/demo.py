"""``fittingroom demo``: the whole lifecycle on the sample world, offline, with the Prefect UI to watch it in."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import time
from functools import partial
from pathlib import Path

from rich.console import Console

from deployments.environment import use_home, use_server
from deployments.live import LiveProgress, log_to
from deployments.server import LocalServer, free_port, send_what_is_left
from fittingroom.errors import FittingroomError
from fittingroom.sample.shop_server import ShopServer, write_catalog
from fittingroom.sample.world import World, build_world
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace, write_json

STYLES = ("navy-striped", "red-solid")
PERSONS = 3
WORLD = "render the sample world"


def demo(workspace: Path | str, console: Console | None = None) -> int:
    """Run it all; 0 when every gate passed and every photo got its garments, 1 when something fell short.

    The first run takes some minutes, the next finds everything done. Stopped half-way, it resumes where it was.
    """
    place = Workspace(Path(workspace))
    place.check_writable()
    settings = _keep_to(place)
    console = console or Console()
    started = time.monotonic()
    use_home(place)
    with LocalServer(place) as server:
        use_server(server.api_url, place)
        signal.signal(signal.SIGINT, partial(_end_trainings, server))
        try:
            console.print(f"Fittingroom demo in {place.root}; watch it at {server.ui_url}", highlight=False)
            with LiveProgress(console) as live:
                world = _world(place, live)
                server.wait()
                with _shop(place, world) as shop:
                    problems, files = _lifecycle(place, world, shop.url, live)
            send_what_is_left()
        except KeyboardInterrupt:
            server.stop()
            console.print("\nstopped; run it again and it resumes where it was")
            console.file.flush()
            os._exit(130)  # threads wait for trainings, and these end with this process
    _summary(console, place, settings, files, problems, time.monotonic() - started)
    return 1 if problems else 0


def _keep_to(place: Workspace) -> str:
    """For this process and its trainings: the demo's models are registered in its own workspace, on no shared server.

    Returns:
        the settings that do the same for another command, as a shell takes them.
    """
    here = f"FITTINGROOM_WORKSPACE={shlex.quote(_as_typed(place.root))}"
    if get_settings().tracking_uri:
        here += " FITTINGROOM_TRACKING_URI="
    os.environ["FITTINGROOM_WORKSPACE"] = str(place.root)
    os.environ["FITTINGROOM_TRACKING_URI"] = ""
    get_settings.cache_clear()
    return here


def _end_trainings(server: LocalServer, *_: object) -> None:
    """On Ctrl-C: end the trainings first, for the run waits for them; they resume from their checkpoints next time."""
    for listing in Path("/proc/self/task").glob("*/children"):  # Linux; elsewhere a terminal tells them itself
        for pid in map(int, listing.read_text().split()):
            if pid != server.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
    raise KeyboardInterrupt


def _world(place: Workspace, live: LiveProgress) -> World:
    live.stage(WORLD, ended=False)
    world = build_world(place.root / "sample", listener=lambda _, done, total: live.step(WORLD, done, total))
    live.stage(WORLD, ended=True)
    return world


def _shop(place: Workspace, world: World) -> ShopServer:
    """The shop on the port it had before, so that its addresses, and with them the cache, stay the same."""
    memory = place.root / "sample" / "shop-port.json"
    try:
        wanted = int(json.loads(memory.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        wanted = 0
    port = free_port(wanted)
    if port != wanted:
        write_json(memory, {"port": port})
    return ShopServer(world.shop, port)


def _lifecycle(place: Workspace, world: World, shop_url: str, live: LiveProgress) -> tuple[list[str], dict[str, str]]:
    # Only now: Prefect reads its settings when it is imported.
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.lifecycle import lifecycle
    from flows.parameters import LifecycleParameters
    from tasks.callbacks import stages, trainings
    from tasks.photo_names import with_names

    # On the terminal Prefect's own lines would tear the progress bars.
    log_to(Console(file=(place.prefect_home / "demo.log").open("a", encoding="utf-8"), width=200, no_color=True))
    parameters = LifecycleParameters(
        workspace=place.root,
        catalog=write_catalog(place.root / "sample" / "catalog.yaml", shop_url, STYLES),
        dataset=world.dataset,
        persons=list(world.person_photos[:PERSONS]),
        preset="demo",
        domain_a="all-others",  # its two styles are given, and its figures were measured so
        backbone_weights=None,
        per_host_delay=0.0,
        max_age_hours=8760,
        allow_loopback=True,
    )
    # Heartbeats find runs whose worker died; each flow waits up to a second to end them, and here a person watches.
    no_heartbeats = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with no_heartbeats, trainings.watching(live.training), stages.watching(live.stage):
        try:
            outcome = lifecycle(parameters)
        except FittingroomError as error:
            return [str(error)], {}
    return [with_names(place, problem) for problem in outcome["problems"]], outcome["files"]


def _summary(
    console: Console, place: Workspace, settings: str, files: dict[str, str], problems: list[str], seconds: float
) -> None:
    for problem in problems:
        console.print(f"[yellow]![/] {problem}", highlight=False, soft_wrap=True)
    for title, name in (("contact sheet", "contact-sheet.png"), ("report", "report.html")):
        if name in files:
            console.print(f"{title}: {files[name]}", highlight=False, soft_wrap=True)
    person = shlex.quote(_as_typed(place.root / "sample" / "people" / "anna.jpg"))
    for line in (
        f"done in {seconds:.0f} s. These models know the sample world only, so they serve in this workspace alone:",
        f"  {settings} fittingroom try-on {person} --style {STYLES[-1]} -o anna.png",
        f"  {settings} fittingroom serve    (the UI again, with these runs)",
        "Your own photos are tried on with the starter models, until you train your own:",
        f"  fittingroom try-on me.jpg --style {STYLES[-1]} -o me.png",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _as_typed(path: Path) -> str:
    """As a person would type it: from the current folder, where it lies in that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
