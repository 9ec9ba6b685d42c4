"""Runs an exported model on the CPU: OpenVINO, or ONNX Runtime where OpenVINO cannot be imported. Loads no torch.

Both compile the model per tensor shape: a fixed shape runs faster than a variable one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SHAPES_KEPT = 6  # 40 MB each; cameras of more different aspect ratios recompile (0.3 s) when they alternate.


class Runner(Protocol):
    """A model ready to run; safe to call from several threads."""

    name: str  # For people, complete after the first run, such as "OpenVINO · bf16".

    def __call__(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """From pictures (1, h, w, 3), blue first, to the model's first output."""


class OpenVinoRunner:
    """OpenVINO, one compiled model per tensor shape and one infer request per thread and shape.

    `in_integers` is the same model in 8 bits. It is taken where the processor has no 16-bit floats, which are quicker.
    """

    def __init__(self, model: Path, *, threads: int, streams: int = 1, in_integers: Path | None = None) -> None:
        import openvino

        self._tensor = openvino.Tensor
        self._core = openvino.Core()
        if in_integers and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            model = in_integers
        self._model = _taking_bytes(openvino, self._core.read_model(model))
        self._is_int8 = any(step.get_type_name() == "FakeQuantize" for step in self._model.get_ops())
        # Without pinning, several processes on the same cores do not all crowd the first ones.
        self._config = {
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock, self._local = threading.Lock(), threading.local()
        self.name = "OpenVINO"

    def __call__(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        request = self._request(tensor.shape)
        # As request.infer([tensor], share_inputs=True), whose looking for the kind of its inputs takes 0.4 ms.
        request.set_input_tensor(self._tensor(tensor, shared_memory=True))
        request.start_async()
        request.wait()
        output: NDArray[np.float32] = request.get_output_tensor(0).data
        return output

    def _request(self, shape: tuple[int, ...]) -> Any:
        compiled = self._compile(shape)
        requests = self._local.__dict__.setdefault("requests", {})
        known = requests.get(shape)
        if known is None or known[0] is not compiled:
            for old in set(requests) - set(self._compiled):
                del requests[old]
            known = requests[shape] = (compiled, compiled.create_infer_request())
        return known[1]

    def _compile(self, shape: tuple[int, ...]) -> Any:
        with self._lock:
            if shape not in self._compiled:
                # No cache on disk: it saves 0.1 s of 0.7 and would keep 10 MB per shape and library version.
                shaped = self._model.clone()  # Shares the weights.
                shaped.reshape(list(shape))
                compiled = self._core.compile_model(shaped, "CPU", self._config)
                precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
                # OpenVINO takes bf16 by itself where the processor has it.
                self.name = f"OpenVINO · {'int8' if self._is_int8 else precision}"
                self._compiled[shape] = compiled
            self._compiled.move_to_end(shape)
            while len(self._compiled) > SHAPES_KEPT:
                self._compiled.popitem(last=False)
            return self._compiled[shape]


def _taking_bytes(openvino: Any, model: Any) -> Any:
    """The model with input in bytes, blue first, so that no copy of a picture in floats is made outside."""
    steps = openvino.preprocess.PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    tensor.set_color_format(openvino.preprocess.ColorFormat.BGR)
    convert = steps.input().preprocess()
    convert.convert_element_type(openvino.Type.f32).convert_color(openvino.preprocess.ColorFormat.RGB).scale(255.0)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


class OnnxRunner:
    """ONNX Runtime on the CPU, in 32-bit floats; slower than OpenVINO on most processors."""

    name = "ONNX Runtime · f32"

    def __init__(self, model: Path, *, threads: int, streams: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads // streams)
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # Waiting must not burn a core.
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(tensor[..., ::-1].transpose(0, 3, 1, 2), np.float32)
        planes /= 255
        output: NDArray[np.float32] = self._session.run(None, {self._input: planes})[0]
        return output
