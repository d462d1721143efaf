"""torch.export does not take an LSTM of quantize_dynamic.

Fails with: torch>=2.9
Instead: `torch.jit.trace`, or `onnxruntime.quantization.quantize_dynamic` on the ONNX of the nn.LSTM.
Shows: torch_lstm_exported -int8, torch_lstm_aoti -int8, torch_lstm_exported@AVX2 -int8
"""

import torch

model = torch.nn.Sequential(torch.nn.LSTM(4, 5)).eval()
quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.LSTM}, torch.qint8)
torch.export.export(quantized, (torch.randn(6, 2, 4),))
