import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from models import catalogue, imported
from models.manifest import (
    Artifact,
    FileMissing,
    FileWrong,
    Manifest,
    ManifestWrong,
    ModelProblem,
    Shipped,
    Source,
    read_manifest,
)

CONTENT = b"weights" * 50_000
ARTIFACT = Artifact(
    id="tiny",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    bytes=len(CONTENT),
    licence="Apache-2.0",
    licence_note="as stated",
    source=Source("someone/something", "b" * 40, "tiny.onnx"),
    mirror="models/tiny.onnx",
)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No place has anything, and the public address is a closed port."""
    monkeypatch.setenv("GRIDWARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRIDWARD_MIRROR", raising=False)
    monkeypatch.setenv("GRIDWARD_ASSETS", str(tmp_path / "shared"))
    monkeypatch.setattr(Source, "address", "http://127.0.0.1:1/tiny.onnx")
    return tmp_path


def put(folder: Path, content: bytes = CONTENT) -> Path:
    file = folder / ARTIFACT.mirror
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A mirror on the loopback address that answers as the test says."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/mirror"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def content(body: bytes, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_a_folder_serves_and_the_cache_keeps(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(nowhere / "mirror")
    monkeypatch.setenv("GRIDWARD_MIRROR", str(nowhere / "mirror"))
    path = catalogue.obtain(ARTIFACT)
    assert path == catalogue.cached_path(ARTIFACT)
    assert path.read_bytes() == CONTENT
    monkeypatch.delenv("GRIDWARD_MIRROR")
    assert catalogue.obtain(ARTIFACT) == path


def test_the_shared_folder_comes_before_the_public_address(nowhere: Path) -> None:
    put(nowhere / "shared")
    assert catalogue.obtain(ARTIFACT).read_bytes() == CONTENT


def test_an_address_serves_as_a_mirror(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        content(CONTENT)(request)

    monkeypatch.setenv("GRIDWARD_MIRROR", serve(answer))
    assert catalogue.obtain(ARTIFACT).read_bytes() == CONTENT
    assert asked == ["/mirror/models/tiny.onnx"]


def test_the_public_address_comes_last(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "address", serve(content(CONTENT)))
    assert catalogue.obtain(ARTIFACT).read_bytes() == CONTENT


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", b""])
def test_another_file_never_reaches_the_cache(serve: Serve, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setenv("GRIDWARD_MIRROR", serve(content(body)))
    with pytest.raises(FileWrong, match="GRIDWARD_MIRROR"):
        catalogue.obtain(ARTIFACT)
    cached = catalogue.cached_path(ARTIFACT)
    assert not cached.exists()
    assert not list(cached.parent.glob(".part-*"))


def test_a_damaged_cache_heals_from_the_next_place(nowhere: Path) -> None:
    put(nowhere / "shared")
    path = catalogue.obtain(ARTIFACT)
    path.write_bytes(CONTENT[::-1])
    assert catalogue.obtain(ARTIFACT).read_bytes() == CONTENT


def test_a_damaged_mirror_does_not_hide_a_good_place(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(nowhere / "mirror", b"other")
    put(nowhere / "shared")
    monkeypatch.setenv("GRIDWARD_MIRROR", str(nowhere / "mirror"))
    assert catalogue.obtain(ARTIFACT).read_bytes() == CONTENT


def test_nothing_anywhere_is_said_place_by_place(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    monkeypatch.setenv("GRIDWARD_MIRROR", serve(content(b"", 404)))
    with pytest.raises(FileMissing) as caught:
        catalogue.obtain(ARTIFACT)
    said = str(caught.value)
    for part in ("cache", "GRIDWARD_MIRROR: answers 404", "shared", "public address", "Way out", "models/tiny.onnx"):
        assert part in said


def test_wrong_files_everywhere_are_said_place_by_place(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    put(nowhere / "mirror", CONTENT[::-1])
    put(nowhere / "shared", CONTENT[:-1])
    monkeypatch.setenv("GRIDWARD_MIRROR", str(nowhere / "mirror"))
    monkeypatch.setattr(Source, "address", serve(content(CONTENT + b"x")))
    with pytest.raises(FileWrong) as caught:
        catalogue.obtain(ARTIFACT)
    size = len(CONTENT)
    assert str(caught.value).partition("Tried: ")[2].split("; ") == [
        f"cache {nowhere / 'cache'}: not there",
        f"GRIDWARD_MIRROR {nowhere / 'mirror'}: another file (SHA-256 {hashlib.sha256(CONTENT[::-1]).hexdigest()[:12]}…)",
        f"assets {nowhere / 'shared'}: has {size - 1} bytes instead of {size}",
        f"the public address: has more than {size} bytes instead of {size}",
    ]


def test_without_the_variable_the_assets_lie_beside_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDWARD_ASSETS")
    assert catalogue.assets_directory().parts[-2:] == ("shared", "assets")


def test_without_a_cache_a_folder_is_used_in_place(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "file").write_text("no folder")
    monkeypatch.setenv("GRIDWARD_CACHE", str(nowhere / "file"))
    file = put(nowhere / "shared")
    assert catalogue.obtain(ARTIFACT) == file


def test_a_cache_on_a_full_disk_is_a_cache_that_cannot_be_written() -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(catalogue._CacheClosed, match="No space left"):
        catalogue._keep(full, CONTENT)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ManifestWrong, match="yolox_nano_416"):
        catalogue.resolve("nothing")
    with pytest.raises(ManifestWrong, match="car_detection"):
        catalogue.clip("nothing")


def test_two_artifacts_of_one_name_do_not_share_a_place() -> None:
    assert catalogue.cached_path(ARTIFACT) != catalogue.cached_path(replace(ARTIFACT, sha256="0" * 64))


def test_the_command_lists_verifies_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["list", "--json"]) == 0
    listed = {entry["id"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["yolox_nano_416"]["cached"] is False
    assert listed["yolox_nano_416"]["licence"] == "Apache-2.0"
    assert listed["car_detection"]["kind"] == "clip"
    assert catalogue.main(["verify", "car_detection"]) == 1
    assert "fetch car_detection" in capsys.readouterr().out
    assert catalogue.main(["fetch", "unheard-of"]) == 2
    assert "unheard-of" in capsys.readouterr().err


# --- what comes with the software ------------------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Manifest]:
    """A catalogue with one model of its own, in a package of which this is all."""
    del capsys
    package = tmp_path / "package"
    for name in ("weights", "manifests", "labels", "footage"):
        (package / name).mkdir(parents=True)
    (package / "weights" / "tiny.onnx").write_bytes(CONTENT)
    (package / "weights" / "README.md").write_text("# What it is\n", encoding="utf-8")
    manifest = {
        "id": "tiny",
        "version": "1.0.0",
        "title": "A tiny one",
        "licence": "Apache-2.0",
        "licence_note": "our own",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
        "decoder": "yolox",
        "source": {"shipped": "weights/tiny.onnx", "card": "weights/README.md"},
        "input": {"width": 64, "height": 32, "layout": "nchw", "colour": "bgr", "fit": "letterbox", "padding": 114},
        "labels": ["person", "litter"],
        "figures": {"litter_ap50": 0.61},
    }
    (package / "manifests" / "tiny.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    monkeypatch.setattr(catalogue, "_HERE", package)
    for known in (catalogue.own_models, catalogue.footage):
        known.cache_clear()
    yield catalogue.own_models()["tiny"]
    for known in (catalogue.own_models, catalogue.footage):
        known.cache_clear()


def test_what_comes_with_the_software_needs_no_place_and_no_cache(nowhere: Path, shipped: Manifest) -> None:
    assert catalogue.obtain(shipped) == catalogue._HERE / "weights" / "tiny.onnx"
    assert catalogue.verified(shipped) == catalogue._HERE / "weights" / "tiny.onnx"
    assert not (nowhere / "cache").exists()


@pytest.mark.parametrize(("content", "kind"), [(b"another", FileWrong), (None, FileMissing)])
def test_what_came_damaged_names_the_way_out(
    shipped: Manifest, content: bytes | None, kind: type[ModelProblem]
) -> None:
    file = catalogue.obtain(shipped)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    for ask in (catalogue.obtain, catalogue.verified):
        with pytest.raises(kind, match=r"install .* again"):
            ask(shipped)


def test_the_list_shows_figures_and_card(shipped: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["list"]) == 0
    told = capsys.readouterr().out
    assert "(shipped)" in told
    assert "litter_ap50 0.61" in told
    assert str(catalogue._HERE / "weights" / "README.md") in told
    assert catalogue.main(["list", "tiny", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["shipped"], entry["cached"], entry["figures"]) == (True, True, {"litter_ap50": 0.61})
    assert entry["card"].endswith("README.md")
    assert read_manifest_of(imported.text(shipped)).source == shipped.source


def read_manifest_of(text: str) -> Manifest:
    file = catalogue._HERE / "manifests" / "tiny.yaml"
    file.write_text(text, encoding="utf-8")
    return read_manifest(file)


def test_of_the_order_the_first_is_taken_that_can_be_had(shipped: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PREFERRED", ("elsewhere", "tiny"))
    assert catalogue.preferred().manifest == shipped
    catalogue.obtain(shipped).unlink()
    with pytest.raises(FileMissing, match=r"install .* again"):
        catalogue.preferred()
    monkeypatch.setattr(catalogue, "PREFERRED", ("elsewhere",))
    with pytest.raises(FileMissing, match="none of elsewhere"):
        catalogue.preferred()


def test_what_comes_with_this_software_is_what_its_manifests_say() -> None:
    for manifest in catalogue.own_models().values():
        if isinstance(manifest.source, Shipped):
            assert catalogue.verified(manifest).is_file()
            assert manifest.source.card is not None
            assert catalogue.shipped_path(Shipped(manifest.source.card)).is_file()
