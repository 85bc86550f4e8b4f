"""Weights that are no model, another one, or one that does harm when it runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper

from edge.errors import ModelUnusable
from edge.inference import Graph, LooseShape

FOUR = (4,)


def write(
    path: Path,
    nodes: Sequence[NodeProto],
    *,
    weights: Sequence[TensorProto] = (),
    output: Sequence[int | str] = FOUR,
    inputs: Sequence[int] = FOUR,
) -> Path:
    """A graph from `x` to `y`."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(inputs))
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, list(output))
    graph = helper.make_graph(list(nodes), "graph", [given], [made], list(weights))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def graph(path: Path, shapes: Sequence[LooseShape] = (FOUR,), *, longest_run_s: float = 30.0) -> Graph:
    return Graph(path, FOUR, shapes, model="m", longest_run_s=longest_run_s)


def outside(location: str) -> TensorProto:
    """Weights that lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


@pytest.mark.parametrize("location", ["w.bin", "../w.bin", "/etc/passwd"])
def test_weights_in_other_files_are_refused_for_no_hash_covers_them(tmp_path: Path, location: str) -> None:
    (tmp_path / "models").mkdir()
    for folder in (tmp_path, tmp_path / "models"):
        (folder / "w.bin").write_bytes(bytes(16))
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    path = write(tmp_path / "models" / "a.onnx", nodes, weights=[outside(location)])
    with pytest.raises(ModelUnusable, match="export it as one file"):
        graph(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "fetch the weights again"),
        (b"\x08\x08\x12\x04test", "fetch the weights again"),
        (b"\x0a\x03abc\x12\x05hello", "fetch the weights again"),
        (b"PK\x03\x04" + bytes(500), "fetch the weights again"),
        (b"\xff" * 1000, "fetch the weights again"),
    ],
)
def test_what_is_no_graph_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnusable, match=words):
        graph(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_graph_that_breaks_off_says_so(tmp_path: Path, share: float) -> None:
    weights = [helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0] * 4)]
    whole = write(tmp_path / "a.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], weights=weights).read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelUnusable):
        graph(cut)


def test_a_graph_that_gives_no_numbers_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="no numbers"):
        graph(write(tmp_path / "a.onnx", [helper.make_node("Div", ["x", "x"], ["y"])]))
    later = graph(write(tmp_path / "b.onnx", [helper.make_node("Exp", ["x"], ["y"])]))
    with pytest.raises(ModelUnusable, match="no numbers"):
        later.run(np.full(4, 1000, dtype=np.float32))


def test_an_output_whose_size_only_a_run_shows_is_held_against_the_manifest(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["places"]), helper.make_node("Cast", ["places"], ["y"], to=1)]
    path = write(tmp_path / "a.onnx", nodes, output=("one", "many"))
    with pytest.raises(ModelUnusable, match=r"an output of \[1, 0\], \[1, 4\] is expected"):
        graph(path, [(1, 4)])


def test_a_graph_that_fails_over_one_picture_says_so(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["index"], to=7), helper.make_node("Gather", ["x", "index"], ["y"])]
    found = graph(write(tmp_path / "a.onnx", nodes))
    with pytest.raises(ModelUnusable, match="m: the graph failed"):
        found.run(np.full(4, 9, dtype=np.float32))
    assert found.run(np.zeros(4, dtype=np.float32))[0].shape == (4,)


def test_a_graph_that_takes_for_ever_is_ended(tmp_path: Path) -> None:
    body: GraphProto = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["a"], ["b"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, [4]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, [4]),
        ],
    )
    loop = helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)
    assert loop.attribute[0].type == AttributeProto.GRAPH
    weights = [
        helper.make_tensor("turns", TensorProto.INT64, [], [10**15]),
        helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
    ]
    with pytest.raises(ModelUnusable, match=r"longer than 0\.2 s"):
        graph(write(tmp_path / "a.onnx", [loop], weights=weights), longest_run_s=0.2)
