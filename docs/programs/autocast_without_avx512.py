"""Under autocast to bfloat16, nn.LSTM raises on a processor without AVX-512, which oneDNN is told here.
https://github.com/AOSSIE-Org/OpenVerifiableLLM/issues/100

Fails with: torch>=2.9
Instead: `with torch.backends.mkldnn.flags(enabled=False):` around the call.
Shows: torch_lstm@AVX2 -autocast, torch_lstm_scripted@AVX2 -autocast, torch_lstm_exported@AVX2 -autocast
"""

import os

os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
import torch

torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 2, 4)
with torch.autocast("cpu", torch.bfloat16):
    half = lstm(x)[0]
difference = (half - lstm(x)[0]).abs().max().item()
assert difference < 0.05, f"bfloat16 is off by {difference}"
