"""openvino.convert_model does not convert an LSTM of quantize_dynamic.

Fails with: torch>=2.9
Instead: `onnxruntime.quantization.quantize_dynamic` on the ONNX of the nn.LSTM.
Shows: torch_lstm_openvino -int8
"""

# /// script
# dependencies = ["openvino"]
# ///
import openvino
import torch

model = torch.nn.Sequential(torch.nn.LSTM(4, 5)).eval()
quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.LSTM}, torch.qint8)
openvino.convert_model(quantized, example_input=torch.randn(6, 2, 4))
