"""torch.nn.LSTM in ONNX Runtime, exported by torch.onnx.export(dynamo=False), the older exporter, for inference."""

from impls.families.torch_onnx import maker
from impls.families.torch_programs import Unquantized, of_maker

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float16", "autocast", "int8")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "batch_first", "dropout")
# the same for all three, so that one environment serves them
REQUIRES = ("torch>=2.9", "onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20", "openvino>=2025.0")

prepare = of_maker(maker(dynamo=False), trains=False, lstm=Unquantized)
