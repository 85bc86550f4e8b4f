"""`gridward-edge`: run a node, check a configuration, look at a running node, replay a clip, verify models."""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from edge.adoption.command import models_app
from edge.benches.command import bench_app
from edge.configs_command import configs_app
from edge.configuration.effective import Origin, effective
from edge.configuration.reading import examine, load
from edge.configuration.words import camera_from_words
from edge.contract.enrolment import Credentials
from edge.contract.signing import fingerprint as fingerprint_of
from edge.errors import ConfigurationError, EdgeError, Permanent
from edge.logs import log_to_stderr
from edge.node.declaration import software
from edge.node.kept_log import KeptLog, LogTail, in_words
from edge.node.orders import Order, ordered, standings
from edge.node.process import FAILED, run_node
from edge.node.reloading import ask_to_reload
from edge.node.starting import configuration_at_desk, configuration_at_start, give_up_trial
from edge.node.status import read_status
from edge.node.wording import status_lines
from edge.outbox.letters import Letters
from edge.perception.preference import opened
from edge.provisioning.credentials import read_secret
from edge.provisioning.enrolment import CloudDoor, command_keys, enrol, read_credentials
from edge.provisioning.key import read_key
from edge.provisioning.store import Store
from edge.replay import chosen_camera, replay, stderr_progress, table, warnings
from edge.rules.schedule import CHINA
from edge.rules_command import rules_app
from edge.scene_command import scene_app
from edge.settings import AUTO, Department
from edge.sources import channel_listing
from edge.sources.video_gateway import Gateways
from edge.supervisor import STATUS_NOT_STARTABLE
from models.manifest import ModelProblem

app = typer.Typer(
    name="gridward-edge",
    help="An edge node: cameras and sensors in, incidents and readings out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
config_app = typer.Typer(help="The configuration file.", no_args_is_help=True)
camera_app = typer.Typer(help="Cameras in quarantine.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(configs_app, name="configs")
app.add_typer(models_app, name="models")
app.add_typer(camera_app, name="camera")
app.add_typer(rules_app, name="rules")
app.add_typer(bench_app, name="bench")
app.add_typer(scene_app, name="scene")
letters_app = typer.Typer(help="Messages that the cloud has rejected.", no_args_is_help=True)
app.add_typer(letters_app, name="letters")

gateway_app = typer.Typer(help="Video gateways for GB/T 28181 channels.", no_args_is_help=True)
app.add_typer(gateway_app, name="gateway")

LOOK_EVERY_S = 0.5
"""So often `logs --follow` looks for new lines."""

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The node's configuration.", metavar="FILE")]
LetterNumbers = Annotated[list[int], typer.Argument(help="Numbers from the list.", metavar="NUMBER…")]
CameraId = Annotated[str, typer.Argument(help="A camera of the configuration.", metavar="ID")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def main() -> None:
    """The entry point: errors end as one clear line on standard error."""
    _guarded(app)


def _guarded(command: Callable[[], Any]) -> NoReturn:
    try:
        command()
    except ConfigurationError as error:
        _fail(str(error), STATUS_NOT_STARTABLE)
    except (EdgeError, ModelProblem) as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(status)


@app.command()
def run(config: ConfigFile) -> None:
    """Run the node; a crashed one runs again within three seconds."""
    program = configuration_at_desk(config).node.data_directory / "program"
    node = [sys.executable, "-m", "edge.cli", "run-node", "--supervised", "--config", str(config.absolute())]
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "edge.supervisor", "--program", os.fspath(program), *node])  # noqa: S606 (becomes the small parent)


@app.command("run-node", hidden=True)
def run_node_command(
    config: ConfigFile,
    *,
    supervised: Annotated[bool, typer.Option("--supervised", help="End with standard input.")] = False,
) -> None:
    """The node's own process, as the supervisor starts it; exit status 2 where another start would not help."""
    log_to_stderr()
    configuration = configuration_at_start(config, now=datetime.now(UTC))
    directory = configuration.node.data_directory
    log_to_stderr(also=KeptLog(directory))
    try:
        status = run_node(configuration, file=config.absolute(), parent_pipe=supervised)
    except Permanent as error:
        if give_up_trial(Store(directory), str(error), now=datetime.now(UTC)):
            _fail(str(error), FAILED)  # what ran before is worth another start
        _fail(str(error), STATUS_NOT_STARTABLE)
    raise typer.Exit(status)


@app.command("reload")
def reload_command(config: ConfigFile, *, as_json: Json = False) -> None:
    """Have a running node take its changed file in, without a restart; exit status 2, and nothing changed, when it can't."""
    result = ask_to_reload(load(config).node.data_directory)
    print(json.dumps(result.plain(), ensure_ascii=False, indent=2) if as_json else "\n".join(result.lines()))
    raise typer.Exit(0 if result.taken else STATUS_NOT_STARTABLE)


@app.command()
def logs(
    config: ConfigFile,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=10_000, help="So many of the newest lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """The newest lines of the node's log, also of one that has ended; passwords are never in it."""
    tail = LogTail(load(config).node.data_directory)
    found = tail.newest(lines)
    while True:
        for line in found:
            print(line if as_json else "\n".join(in_words(line)), flush=True)
        if not follow:
            return
        time.sleep(LOOK_EVERY_S)
        found = tail.following()


@app.command("enrol")
def enrol_command(
    config: ConfigFile,
    *,
    cloud: Annotated[
        str | None, typer.Option(help="Where the cloud is; cloud.https of the configuration when not given.")
    ] = None,
    claim: Annotated[
        str | None, typer.Option(help="The one-time code; asked for when not given, so that no history keeps it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the node's own key where it has none, and have the cloud bind it; a running node takes it with its next start."""
    configuration = load(config)
    node, settings = configuration.node, configuration.cloud
    code = claim if claim is not None else typer.prompt("Claim code", hide_input=True)
    door = CloudDoor(cloud or str(settings.https), settings.ca_file)
    if not door.base_url.startswith("https:"):
        print("warning: what the cloud gives travels in the clear", file=sys.stderr)
    key, given = enrol(node.data_directory, door, code, node=node.id, district=node.district, software=software())
    _tell_identity(key.fingerprint, given, as_json=as_json)


@app.command("identity")
def identity_command(config: ConfigFile, *, as_json: Json = False) -> None:
    """The fingerprint of the node's key and until when its credentials last; exit status 1 when it has no key."""
    directory = load(config).node.data_directory
    key, given = read_key(directory), read_credentials(directory)
    _tell_identity(None if key is None else key.fingerprint, given, as_json=as_json)
    raise typer.Exit(0 if key is not None else 1)


def _tell_identity(fingerprint: str | None, given: Credentials | None, *, as_json: bool) -> None:
    keys = [] if given is None else [fingerprint_of(each) for each in command_keys(given)]
    told = {
        "key": fingerprint,
        "node": None if given is None else given.node,
        "generation": None if given is None else given.generation,
        "expires_at": None if given is None else given.expires_at.isoformat(),
        "cloud_keys": keys,
    }
    lines = [f"key: {fingerprint or 'none'}"]
    if given is not None:
        lines.append(f"credentials {given.generation} of {given.node}: until {given.expires_at:%Y-%m-%d %H:%M} UTC")
        lines += [f"commands are signed with {each}" for each in keys]
    print(json.dumps(told) if as_json else "\n".join(lines))


@app.command()
def version() -> None:
    """Name and version."""
    print(software())


@app.command()
def status(config: ConfigFile, *, as_json: Json = False) -> None:
    """How a running node stands; exit status 1 when it does not run."""
    found = read_status(load(config).node.data_directory)
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else "\n".join(status_lines(found)))
    raise typer.Exit(0 if found["running"] else 1)


@app.command("replay")
def replay_command(  # noqa: PLR0917 (a command line has no keyword arguments)
    clip: Annotated[Path, typer.Argument(help="A video file.", exists=True, dir_okay=False)],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take zones and rules of a camera there.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Which camera of the configuration.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help='For example: floor="0,0.25 1,0.25 1,1 0,1"')] = None,
    line: Annotated[list[str] | None, typer.Option(help='A directed line: door="0,0.5 1,0.5"')] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="For example: intrusion:floor, loitering:floor:16.5, intrusion:floor:car+truck, line_crossing:door, "
            "line_crossing:door:out, crowd:floor:5, vehicle_dwell:lane:300, two_wheeler:lift, "
            "abandoned_object:floor:60, litter:floor:180, bin_overflow:bins:120, fallen_person:floor:10, camera_trouble"
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model of the catalogue, for zones given here; auto: the first that can be had.")
    ] = AUTO,
    analysis_hz: Annotated[float, typer.Option(help="Frames looked at per second, for zones given here.")] = 5.0,
    filmed_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"],
            help="When the clip begins (Asia/Shanghai); without it schedules are left out.",
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """What the rules find in a clip, as fast as the machine can and the same every time."""
    if (config is None) == (not zone and not line and not rule):
        raise ConfigurationError("give either --config, or --zone and --rule, or --line and --rule")
    settings = (
        camera_from_words(zone or (), rule or (), lines=line or (), model=model, analysis_hz=analysis_hz)
        if config is None
        else chosen_camera(load(config), camera)
    )
    detector = None if settings.model is None else opened(settings.model).detector
    begin = None if filmed_at is None else filmed_at.replace(tzinfo=CHINA)
    result = replay(clip, settings, detector, filmed_at=begin, progress=None if as_json else stderr_progress())
    for warning in warnings(result):
        print(f"warning: {warning}", file=sys.stderr)
    print(result.to_json() if as_json else table(result))


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file to check.")],
    *,
    as_json: Json = False,
) -> None:
    """Name file, line and reason of every mistake; exit status 2 when there is one."""
    _, mistakes = examine(file)
    if as_json:
        found = [
            {"file": str(file), "line": each.line, "where": each.where, "reason": each.reason} for each in mistakes
        ]
        print(json.dumps({"ok": not mistakes, "mistakes": found}, ensure_ascii=False, indent=2))
    else:
        for mistake in mistakes:
            print(mistake.text(file))
        print(
            f"{len(mistakes)} {'mistake' if len(mistakes) == 1 else 'mistakes'}"
            if mistakes
            else f"{file}: no mistakes",
            file=sys.stderr,
        )
    raise typer.Exit(STATUS_NOT_STARTABLE if mistakes else 0)


@config_app.command("show")
def show_config(
    file: Annotated[Path, typer.Argument(help="The file to read.")],
    *,
    everything: Annotated[bool, typer.Option("--effective", help="Also what nobody said: the defaults.")] = False,
    as_json: Json = False,
) -> None:
    """Print what a node runs with, value by value, and who said it: the file or a profile."""
    found = [each for each in effective(file) if everything or each.origin is not Origin.DEFAULT]
    print(json.dumps([each.plain() for each in found], ensure_ascii=False) if as_json else "\n".join(map(str, found)))


@config_app.command()
def example() -> None:
    """Print a configuration with every part of it."""
    print(files("edge.configuration").joinpath("example.yaml").read_text(encoding="utf-8"), end="")


@camera_app.command("list")
def list_cameras(config: ConfigFile, *, as_json: Json = False) -> None:
    """All cameras with what is held against them."""
    found = standings(load(config))
    print(json.dumps([each.plain() for each in found], indent=2) if as_json else "\n".join(map(str, found)))


@camera_app.command()
def release(camera: CameraId, config: ConfigFile, *, as_json: Json = False) -> None:
    """Open a camera that is in quarantine; `camera quarantine` takes it back."""
    _give_order(camera, Order.RELEASE, config, as_json=as_json)


@camera_app.command("quarantine")
def quarantine_camera(camera: CameraId, config: ConfigFile, *, as_json: Json = False) -> None:
    """Close a camera until it is released; `camera release` takes it back."""
    _give_order(camera, Order.QUARANTINE, config, as_json=as_json)


def _give_order(camera: str, order: Order, config: Path, *, as_json: bool) -> None:
    result = ordered(load(config), camera, order)
    print(json.dumps(result.plain(), indent=2) if as_json else str(result))


@gateway_app.command("channels")
def list_channels(
    gateway: Annotated[str, typer.Argument(help="A gateway of the configuration.", metavar="ID")],
    config: ConfigFile,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Directories, alarm inputs and sounds too.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Without those that are told to be offline.")] = False,
    department: Annotated[
        Department | None, typer.Option(help="Only cameras of one department, by their codes.")
    ] = None,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As cameras for a configuration.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a gateway for its channels: code, status, whose they are, name. Nothing is invited."""
    gateways = Gateways(load(config).gateways, read_secret, lambda _gateway, _problem: None)
    asked = gateways.gateway(gateway)
    asked.start()
    try:
        channels = asked.channels()
    finally:
        asked.stop()
    found = channel_listing.Wanted(everything, online, department).among(channels)
    if as_json:
        print(json.dumps([channel_listing.plain(each) for each in found], ensure_ascii=False, indent=2))
    elif as_yaml:
        print(channel_listing.entries(gateway, found), end="")
    else:
        print("\n".join(map(channel_listing.line, found)))
        print(f"{len(found)} of {len(channels)} channels", file=sys.stderr)


@letters_app.command("list")
def list_letters(config: ConfigFile, *, as_json: Json = False) -> None:
    """The newest thousand messages and files that the cloud has rejected; those of incidents stay until you see to them."""
    found = Letters(load(config).node.data_directory).newest()
    print(json.dumps([each.plain() for each in found], indent=2) if as_json else "\n".join(map(str, found)))


@letters_app.command()
def show(number: Annotated[int, typer.Argument(help="A number from the list.")], config: ConfigFile) -> None:
    """Print what is kept of one, as JSON."""
    print(Letters(load(config).node.data_directory).body(number).decode("utf-8", errors="replace"))


@letters_app.command("send-again")
def send_again(numbers: LetterNumbers, config: ConfigFile, *, as_json: Json = False) -> None:
    """Let rejected incidents wait for the cloud anew; they leave with the next thing that the node keeps."""
    Letters(load(config).node.data_directory).send_again(numbers)
    print(json.dumps({"waiting_again": numbers}) if as_json else f"waiting again: {len(numbers)}")


@letters_app.command()
def discard(numbers: LetterNumbers, config: ConfigFile, *, as_json: Json = False) -> None:
    """Throw letters away for good; `letters show` prints one, to be kept elsewhere before."""
    Letters(load(config).node.data_directory).discard(numbers)
    print(json.dumps({"discarded": numbers}) if as_json else f"discarded: {len(numbers)}")


if __name__ == "__main__":
    main()
