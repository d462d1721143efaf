"""openvino.convert_model of a model that packs its rows ignores their lengths, silently.

Fails with: torch>=2.9
Instead: onnxruntime, with `torch.onnx.export(dynamo=False)`.
Shows: torch_lstm_openvino -var
"""

# /// script
# dependencies = ["openvino"]
# ///
import openvino
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Model(torch.nn.Module):
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(lstm(packed)[0])[0]


lstm = torch.nn.LSTM(4, 5).eval()
given = torch.randn(6, 2, 4), torch.tensor([6, 3])
converted = openvino.compile_model(openvino.convert_model(Model(), example_input=given), "CPU")
output = torch.from_numpy(converted([tensor.numpy() for tensor in given])[0])
assert not output[3:, 1].any(), (
    f"beyond its length, a row has outputs such as {output[3, 1, 0]:.3f}"
)
