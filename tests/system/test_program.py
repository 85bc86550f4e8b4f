"""The node's own program from the cloud: a real node under its real parent takes the next version in, and goes back from one that is not well."""

import importlib.metadata
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.artifacts import StepReport
from edge.contract.downlink import DesiredProfile
from edge.contract.envelope import encode
from edge.contract.topics import Channel
from edge.provisioning.slots import read_selection
from firmware_configs.signature import ArtifactClass
from tests.edge.provisioning.orders import Artifact, trusting
from tests.fakes.answering_cloud import AnsweringCloud
from tests.waiting import wait_until

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
PATIENT_S = 120.0


class Quiet(SimpleHTTPRequestHandler):
    """Hands out the files of a folder."""

    def log_message(self, *_values: object) -> None:
        return


def program(folder: Path, version: str, *, broken: bool = False) -> Artifact:
    """A wheel of the program as it stands here, under another version; a broken one ends as soon as it is asked to run."""
    file = folder / f"gridward-{version}.whl"
    info = f"gridward-{version}.dist-info"
    installed = importlib.metadata.metadata("gridward")
    required = "".join(f"Requires-Dist: {each}\n" for each in importlib.metadata.requires("gridward") or ())
    described = f"Metadata-Version: 2.4\nName: gridward\nVersion: {version}\nRequires-Python: {installed['Requires-Python']}\n{required}\n"
    with zipfile.ZipFile(file, "w") as archive:
        for package in ("edge", "models", "firmware_configs"):
            for each in sorted((ROOT / package).rglob("*")):
                if each.is_file() and "__pycache__" not in each.parts:
                    archive.write(each, each.relative_to(ROOT).as_posix())
        if broken:
            archive.writestr("edge/__main__.py", "")
            archive.writestr("sitecustomize.py", "import os, sys\nif 'run-node' in sys.argv: os._exit(1)\n")
        archive.writestr(f"{info}/METADATA", described)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return Artifact(file.read_bytes(), "gridward", version, ArtifactClass.PROGRAM)


class Site:
    """A node under its parent, a broker, and a cloud that orders and hands out."""

    def __init__(self, folder: Path, broker: EmbeddedBroker) -> None:
        self.folder = folder
        self.cloud = AnsweringCloud(broker.port)
        self.handed_out = folder / "cloud" / "api" / "v1" / "artifacts"
        self.handed_out.mkdir(parents=True)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "cloud")))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        trusting(folder / "data")
        file = folder / "node.yaml"
        file.write_text(
            'node: {id: station-01, district: "110105", data_directory: ./data, trial_s: 1}\n'
            f'cloud: {{mqtt: "mqtt://127.0.0.1:{broker.port}", https: "http://127.0.0.1:{self.server.server_port}"}}\n'
        )
        self.log = (folder / "log").open("wb")
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "edge.cli", "run", "--config", str(file)], stderr=self.log, cwd=ROOT
        )

    def stop(self) -> None:
        self.parent.terminate()
        self.parent.wait(20)
        self.cloud.close()
        self.server.shutdown()
        self.server.server_close()
        self.log.close()

    def order(self, artifact: Artifact, number: int) -> None:
        (self.handed_out / artifact.signature.sha256).write_bytes(artifact.content)
        signature = artifact.signature
        desired = DesiredProfile(
            node="station-01",
            profile=signature.name,
            version=signature.version,
            sha256=signature.sha256,
            sig=signature.sig,
            artifact=signature.artifact.value,
            size_bytes=signature.size_bytes,
            key=signature.key,
            signed_at=signature.signed_at,
            desired_id=UUID(int=number),
            issued_at=datetime.now(UTC),
        )
        self.cloud.send_down(encode(desired), Channel.DESIRED.value)

    def software(self) -> str:
        return self.cloud.births[-1].body.software if self.cloud.births else ""

    def step(self) -> StepReport | None:
        steps = self.cloud.births[-1].body.steps if self.cloud.births else ()
        return steps[0] if steps else None

    def has_ended(self, *states: str) -> bool:
        return (step := self.step()) is not None and step.state in states

    def said(self) -> str:
        return (self.folder / "log").read_text()[-2000:]


@pytest.fixture
def site(tmp_path: Path, open_broker: EmbeddedBroker) -> Iterator[Site]:
    made = Site(tmp_path, open_broker)
    yield made
    made.stop()


def test_the_next_program_is_taken_in_and_one_that_is_broken_is_gone_back_from(site: Site) -> None:
    installed = f"gridward {importlib.metadata.version('gridward')}"
    wait_until(lambda: site.software() == installed, what="the installed program", timeout_s=PATIENT_S)

    site.order(program(site.folder, "9.1.0"), 1)
    wait_until(
        lambda: site.has_ended("applied", "refused", "failed", "rolled_back"),
        what="an end of the step",
        timeout_s=PATIENT_S,
    )
    assert site.has_ended("applied"), (site.step(), site.said())
    assert site.software() == "gridward 9.1.0"
    assert [each.version for each in site.cloud.births[-1].body.artifacts] == ["9.1.0"]
    assert read_selection(site.folder / "data" / "program").trial is None

    site.order(program(site.folder, "9.2.0", broken=True), 2)
    wait_until(lambda: site.has_ended("rolled_back", "refused", "failed"), what="its end", timeout_s=PATIENT_S)
    step = site.step()
    assert step is not None
    assert (step.state, step.code, step.version) == ("rolled_back", "crashed", "9.2.0"), site.said()
    assert site.software() == "gridward 9.1.0"
    assert [each.version for each in site.cloud.births[-1].body.artifacts] == ["9.1.0"]
