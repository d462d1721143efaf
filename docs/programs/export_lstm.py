"""torch.export raises at any nn.LSTM, unless it is strict, and so does torch.onnx.export with it.

Fails with: torch>=2.9,<2.10
Instead: `torch.export.export(…, strict=True)`, `torch.onnx.export(…, dynamo=False)`, or a newer PyTorch.
Shows: torch_lstm_exported plain -l2 -bi -nobias -p3 -first -l2-drop -anybatch -float64 -bfloat16 -float16 -autocast,
    torch_lstm_aoti plain -l2 -bi -nobias -p3 -first -l2-drop -anybatch -float64 -bfloat16 -float16 -autocast,
    torch_lstm_onnx plain -l2 -bi -nobias -first -l2-drop -anybatch -float16 -autocast -int8
"""

import torch

torch.export.export(torch.nn.LSTM(4, 5), (torch.randn(6, 2, 4),))
