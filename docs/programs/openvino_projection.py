"""openvino.convert_model does not convert an nn.LSTM with proj_size.

Fails with: torch>=2.9
Instead: multiply by the projection after an nn.LSTM without it, if it is the last layer.
Shows: torch_lstm_openvino -p3
"""

# /// script
# dependencies = ["openvino"]
# ///
import openvino
import torch

lstm = torch.nn.LSTM(4, 5, proj_size=3).eval()
openvino.convert_model(lstm, example_input=torch.randn(6, 2, 4))
