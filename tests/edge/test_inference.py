from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.errors import ModelUnusable
from edge.inference import Graph


def write_graph(path: Path, *, shape: list[int], kind: int = TensorProto.FLOAT, inputs: int = 1) -> Path:
    """A graph that gives its first input back."""
    names = ["images", "size"][:inputs]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["output"])],
        "identity",
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
        [helper.make_tensor_value_info("output", kind, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_graph_that_fits_runs(tmp_path: Path) -> None:
    graph = Graph(write_graph(tmp_path / "a.onnx", shape=[1, 3, 4, 4]), (1, 3, 4, 4), [(1, 3, None, 4)], model="m")
    tensor = np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
    assert np.array_equal(graph.run(tensor)[0], tensor)


@pytest.mark.parametrize(
    ("shape", "kind", "inputs", "words"),
    [
        ([1, 3, 8, 8], TensorProto.FLOAT, 1, r"m: input `images` has the shape \[1, 3, 8, 8\]"),
        ([1, 48], TensorProto.FLOAT, 1, "shape"),
        ([1, 3, 4, 4], TensorProto.DOUBLE, 1, r"tensor\(double\)"),
        ([1, 3, 4, 4], TensorProto.FLOAT, 2, "2 inputs"),
    ],
)
def test_a_graph_that_does_not_fit_names_the_way_out(
    tmp_path: Path, shape: list[int], kind: int, inputs: int, words: str
) -> None:
    path = write_graph(tmp_path / "a.onnx", shape=shape, kind=kind, inputs=inputs)
    with pytest.raises(ModelUnusable, match=words) as caught:
        Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)], model="m")
    assert "correct the manifest" in str(caught.value)


def test_outputs_are_held_against_the_labels(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "a.onnx", shape=[1, 3, 4, 4])
    with pytest.raises(ModelUnusable, match="output `output`"):
        Graph(path, (1, 3, 4, 4), [(1, 3549, 85)], model="m")
    with pytest.raises(ModelUnusable, match="1 outputs, 2 expected"):
        Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)] * 2, model="m")


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(1000)])
def test_what_is_no_graph_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnusable, match="fetch the weights again"):
        Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)], model="m")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable):
        Graph(tmp_path / "none.onnx", (1, 3, 4, 4), [(1, 3, 4, 4)], model="m")


def test_along_open_axes_each_run_may_have_another_length(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "a.onnx", shape=[1, 3, 4, 4])
    graph = Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)], model="m", open_axes=(2, 3))
    tensor = np.arange(24, dtype=np.float32).reshape(1, 3, 2, 4)
    assert np.array_equal(graph.run(tensor, [(1, 3, 2, 4)])[0], tensor)
    with pytest.raises(ModelUnusable, match=r"\[1, 3, 2, 4\], \[1, 3, 4, 4\] is expected"):
        graph.run(tensor)
    with pytest.raises(ModelUnusable, match="failed"):
        Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)], model="m").run(tensor)


def test_a_damaged_graph_with_open_axes_is_no_graph(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"no graph at all")
    with pytest.raises(ModelUnusable, match="fetch the weights again"):
        Graph(path, (1, 3, 4, 4), [(1, 3, 4, 4)], model="m", open_axes=(2, 3))
