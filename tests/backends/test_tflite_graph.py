"""What is read off a loaded graph: which delegate runs which operator, its work, and whether it is integer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edgekit.backends.tflite.graph import GraphNode, GraphTensor, InterpreterGraph
from edgekit.ir.artifact import Fragments
from edgekit.ir.stored_weights import stored_weights


def graph(
    nodes: list[GraphNode], shapes: Mapping[int, tuple[int, ...]], dtype: str = "float32", **others: str
) -> InterpreterGraph:
    """Tensors of one dtype, but for `others` by `t<index>`; those from 100 on are constants."""
    tensors = {index: GraphTensor(shape, others.get(f"t{index}", dtype)) for index, shape in shapes.items()}
    return InterpreterGraph(tuple(nodes), tensors, frozenset(index for index in shapes if index >= 100))


def share(found: InterpreterGraph) -> float:
    return stored_weights(found.weights()).integer_share


@pytest.mark.parametrize(
    ("name", "inputs", "output", "macs"),
    [
        ("CONV_2D", {0: (1, 8, 8, 3), 100: (16, 3, 3, 3)}, (1, 8, 8, 16), 8 * 8 * 16 * 27),
        ("CONV_2D", {0: (1, 8, 8, 8), 100: (16, 3, 3, 2)}, (1, 8, 8, 16), 8 * 8 * 16 * 18),  # four groups
        ("DEPTHWISE_CONV_2D", {0: (1, 8, 8, 16), 100: (1, 3, 3, 16)}, (1, 4, 4, 16), 4 * 4 * 16 * 9),
        ("CONV_3D", {0: (1, 4, 8, 8, 2), 100: (3, 3, 3, 2, 5)}, (1, 4, 8, 8, 5), 4 * 8 * 8 * 5 * 54),
        ("FULLY_CONNECTED", {0: (7, 64), 100: (10, 64)}, (7, 10), 7 * 10 * 64),
        ("BATCH_MATMUL", {0: (2, 5, 8), 1: (2, 8, 3)}, (2, 5, 3), 2 * 5 * 3 * 8),
        ("BATCH_MATMUL", {0: (2, 8, 5), 1: (2, 8, 3)}, (2, 5, 3), 2 * 5 * 3 * 8),  # the left one transposed
        ("TRANSPOSE_CONV", {100: (4,), 101: (6, 2, 2, 8), 0: (1, 4, 4, 8)}, (1, 8, 8, 6), 8 * 8 * 6 * 8),  # stride 2
        ("ADD", {0: (1, 8), 1: (1, 8)}, (1, 8), 0),
    ],
)
def test_work_follows_from_the_shapes(
    name: str, inputs: dict[int, tuple[int, ...]], output: tuple[int, ...], macs: int
) -> None:
    node = GraphNode(name, tuple(inputs), (50,))
    (operator,) = graph([node], inputs | {50: output}).placement("xnnpack").operators
    assert operator.macs == macs


CHAIN = [
    GraphNode("CAST", (0,), (1,)),
    GraphNode("ADD", (1, 100), (2,)),
    GraphNode("STRIDED_SLICE", (2, 101), (3,)),
    GraphNode("PAD", (2, 101), (4,)),
    GraphNode("MUL", (3, 4), (5,)),
]
SHAPES = dict.fromkeys((0, 1, 2, 3, 4, 5, 100, 101), (1, 4))


def delegates(*replaced: GraphNode) -> list[str | None]:
    operators = graph([*CHAIN, *replaced], SHAPES).placement("xnnpack").operators
    return [operator.delegate for operator in operators]


def test_fragments_are_delegates_and_what_lies_between_them() -> None:
    replaced = [GraphNode("DELEGATE", (1, 100, 101), (2, 4)), GraphNode("DELEGATE", (3, 4), (5,))]
    assert graph([*CHAIN, *replaced], SHAPES).fragments() == Fragments(2, 2, 6 * 4 * 4)
    assert graph(CHAIN, SHAPES).fragments() == Fragments(0, 5, 0)


def test_without_a_delegate_everything_falls_back() -> None:
    assert delegates() == [None] * 5


def test_a_delegate_holds_what_lies_between_its_inputs_and_its_outputs() -> None:
    assert delegates(GraphNode("DELEGATE", (1, 100, 101), (2, 4)), GraphNode("DELEGATE", (3, 4), (5,))) == [
        None,
        "xnnpack",
        None,
        "xnnpack",
        "xnnpack",
    ]


def test_a_tensor_that_crosses_into_a_delegate_was_made_outside() -> None:
    assert delegates(GraphNode("DELEGATE", (3, 4), (5,))) == [None, None, None, None, "xnnpack"]


def test_an_operator_is_integer_if_it_touches_no_float_or_rounds_what_it_reads() -> None:
    node = GraphNode("CONV_2D", (0, 100, -1), (1,))
    shapes = {0: (1, 4, 4, 2), 100: (3, 1, 1, 2), 1: (1, 4, 4, 3)}
    assert graph([node], shapes, "int8").integer(node)
    assert not graph([node], shapes, "int8", t1="float32").integer(node)
    # LiteRT's dynamic quantization; weights that a DEQUANTIZE has expanded are float32 where they are read.
    assert graph([node], shapes, "float32", t100="int8").integer(node)
    assert graph([node], shapes, "float32", t100="int4").integer(node)
    assert not graph([node], shapes, "float32").integer(node)


def test_weights_are_counted_as_the_file_stores_them() -> None:
    """Fake int8: integer weights that are dequantized and transposed before a float convolution reads them."""
    nodes = [
        GraphNode("DEQUANTIZE", (100,), (1,)),
        GraphNode("TRANSPOSE", (1, 101), (2,)),
        GraphNode("CONV_2D", (0, 2, 102), (3,)),
        GraphNode("FULLY_CONNECTED", (3, 103), (4,)),
    ]
    shapes = {0: (1, 4), 1: (3, 4), 2: (3, 4), 3: (1, 4), 4: (1, 2), 100: (3, 4), 101: (2,), 102: (3,), 103: (2, 6)}
    assert share(graph(nodes, shapes, t100="int8", t101="int32")) == 0.5
    assert share(graph(nodes, shapes)) == 0


def test_weights_that_two_operators_share_are_counted_once() -> None:
    nodes = [GraphNode("FULLY_CONNECTED", (0, i), (i - 99,)) for i in (100, 100, 101)]
    shapes = {0: (1, 4), 1: (1, 4), 2: (1, 4), 100: (4, 4), 101: (4, 4)}
    assert share(graph(nodes, shapes, t100="int8")) == 0.5


def test_a_product_of_two_activations_has_no_weights() -> None:
    node = GraphNode("BATCH_MATMUL", (0, 1), (2,))
    assert not list(graph([node], {0: (2, 2), 1: (2, 2), 2: (2, 2)}, "int8").weights())


def test_operators_that_read_one_buffer_share_a_weight() -> None:
    nodes = [GraphNode("FULLY_CONNECTED", (0, i), (i - 99,)) for i in (100, 101)]
    shapes = {0: (1, 4), 1: (1, 4), 2: (1, 4), 100: (4, 4), 101: (4, 4)}
    assert len(stored_weights(graph(nodes, shapes).weights()).weights) == 2
    assert len(stored_weights(graph(nodes, shapes).weights({100: 7, 101: 7})).weights) == 1


def test_a_matrix_that_is_added_is_a_weight_and_a_table_of_one_column_or_a_bias_is_none() -> None:
    nodes = [
        GraphNode("GATHER", (100, 0), (1,)),
        GraphNode("ADD", (1, 101), (2,)),
        GraphNode("ADD", (2, 102), (3,)),
        GraphNode("GATHER", (3, 103), (4,)),
    ]
    shapes = {**dict.fromkeys(range(5), (1, 4)), 100: (9, 1), 101: (3, 4), 102: (1, 4), 103: (5, 5)}
    keys = {weight.key for weight in graph(nodes, shapes, t103="int64").weights()}
    assert keys == {"buffer 101"}


def test_a_recurrent_cell_meets_its_matrices_at_every_step() -> None:
    cell = GraphNode("UNIDIRECTIONAL_SEQUENCE_LSTM", (0, 100, 101, 102), (1,))
    shapes = {0: (10, 2, 16), 100: (24, 16), 101: (24, 24), 102: (24,), 1: (10, 2, 24)}
    assert graph([cell], shapes).macs(cell) == 10 * 2 * 24 * (16 + 24)
