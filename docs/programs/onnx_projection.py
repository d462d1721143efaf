"""torch.onnx.export writes an nn.LSTM with proj_size as an operator that has no projection, so ONNX
Runtime refuses to run it.
https://github.com/k2-fsa/icefall/pull/621

Fails with: torch>=2.9
Instead: export `torch.export.export(model, (x,)).run_decompositions()`, from 2.13 on.
Shows: torch_lstm_onnx -p3
"""

# /// script
# dependencies = ["onnx", "onnxscript", "onnxruntime"]
# ///

import onnxruntime
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.LSTM(4, 5, proj_size=3))
x = torch.randn(6, 2, 4)
exported = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
session = onnxruntime.InferenceSession(exported.model_proto.SerializeToString())
(output, *_) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
difference = (torch.from_numpy(output) - model(x)[0]).abs().max().item()
assert difference < 1e-5, f"ONNX Runtime is off by {difference}"
