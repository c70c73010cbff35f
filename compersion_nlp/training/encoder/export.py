"""From PyTorch to ONNX, in 32 or 8 bits."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnx import helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from compersion_nlp.scorers.encoder import OUTPUTS
from compersion_nlp.training.encoder.network import Network, Traced

_OPSET = 17
_DOMAIN = "com.microsoft"
_SOFTMAX = "/Softmax_output_0"  # what the exporter calls the weights of an attention


def export(network: Network, heads: dict[str, slice]) -> bytes:
    """Returns the network in ONNX with weights of 32 bits; ``heads`` become outputs of their own."""
    traced = Traced(copy.deepcopy(network).float(), heads).eval()
    ids = torch.ones((1, 7), dtype=torch.int64)
    names = [*OUTPUTS, *heads]
    axes = {"ids": {0: "texts", 1: "pieces"}} | {name: {0: "texts"} for name in names}
    axes |= {name: {0: "texts", 1: "pieces"} for name in names if name.endswith("_trace")}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            traced,
            (ids,),
            path,
            input_names=["ids"],
            output_names=names,
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def to_eight_bits(model: bytes, heads: int) -> bytes:
    """Returns a network in ONNX with its matrices and word embeddings in 8 bits, scaled by column.

    What flows between the layers is scaled anew for each call (dynamic quantization). ``heads`` is the number of heads
    of each layer's attention.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder) / name for name in ("whole.onnx", "ready.onnx", "small.onnx"))
        whole.write_bytes(model)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        quantize_dynamic(
            ready,
            small,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # without it, processors that lack VNNI overflow
            op_types_to_quantize=["MatMul", "Gather"],
        )
        network = onnx.load(str(small))
        fuse_attention(network, heads)
        onnx.checker.check_model(network)
        fused: bytes = network.SerializeToString()
        return fused


def fuse_attention(network: onnx.ModelProto, heads: int) -> None:
    """Puts one kernel in the place of each layer's attention, in place; texts come alone, so nothing is masked.

    ONNX Runtime's own optimiser looks for this pattern in networks of 32 bits only.
    """
    graph = network.graph
    made = {output: node for node in graph.node for output in node.output}
    for node in [node for node in graph.node if node.op_type == "Softmax"]:
        layer = node.output[0].removesuffix(_SOFTMAX)
        inputs = [f"{layer}/{part}/Add_output_0" for part in ("query", "key", "value")]
        output = f"{layer}/Reshape_3_output_0"
        if layer != node.output[0] and all(name in made for name in (*inputs, output)):
            graph.node.remove(made[output])
            fused = helper.make_node("MultiHeadAttention", inputs, [output], layer, domain=_DOMAIN, num_heads=heads)
            graph.node.append(fused)
    if all(opset.domain != _DOMAIN for opset in network.opset_import):
        network.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    _drop_unused(graph)
    _sort(graph)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Removes what no output depends on any more."""
    wanted = {output.name for output in graph.output}
    made = {output: node for node in graph.node for output in node.output}
    waiting = list(wanted)
    while waiting:
        for name in made[node].input if (node := waiting.pop()) in made else ():
            if name not in wanted:
                wanted.add(name)
                waiting.append(name)
    for node in [node for node in graph.node if wanted.isdisjoint(node.output)]:
        graph.node.remove(node)
    for initializer in [initializer for initializer in graph.initializer if initializer.name not in wanted]:
        graph.initializer.remove(initializer)


def _sort(graph: onnx.GraphProto) -> None:
    """Puts the nodes in an order in which each comes after what it needs."""
    there = {"", *(one.name for one in (*graph.initializer, *graph.input))}
    waiting, sorted_nodes = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if there.issuperset(node.input)]
        there.update(output for node in ready for output in node.output)
        waiting = [node for node in waiting if not there.issuperset(node.output)]
        sorted_nodes += ready
    del graph.node[:]
    graph.node.extend(sorted_nodes)
