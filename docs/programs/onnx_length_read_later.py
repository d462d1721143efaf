"""Where a model later reads the shape of its LSTM's output, the ONNX of torch's dynamo exporter takes
only the example's length.
https://github.com/pytorch/pytorch/issues/191855

Fails with: torch>=2.9,<2.15
Instead: dynamo=False.
"""

# /// script
# dependencies = ["onnx", "onnxscript", "onnxruntime"]
# ///

import onnxruntime
import torch


class Model(torch.nn.Sequential):
    def forward(self, x):
        output, _ = self[0](x)
        return output + torch.ones(5).expand_as(output)


model = Model(torch.nn.LSTM(4, 5))
varying = ({0: torch.export.Dim.DYNAMIC},)
exported = torch.onnx.export(model, (torch.randn(6, 2, 4),), dynamo=True, dynamic_shapes=varying, verbose=False)
session = onnxruntime.InferenceSession(exported.model_proto.SerializeToString())
x = torch.randn(9, 2, 4)
(output,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
difference = (torch.from_numpy(output) - model(x)).abs().max().item()
assert difference < 1e-5, f"ONNX Runtime is off by {difference}"
