"""From PyTorch to ONNX, in 32 or 8 bits."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from compersion_nlp.scorers.encoder import OUTPUTS
from compersion_nlp.training.encoder.network import Network, Traced

_OPSET = 17


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


def to_eight_bits(model: bytes) -> bytes:
    """Returns a network in ONNX with its matrices and word embeddings in 8 bits, scaled by column.

    What flows between the layers is scaled anew for each call (dynamic quantization).
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
        onnx.checker.check_model(str(small))
        return small.read_bytes()
