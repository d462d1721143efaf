"""By AOTInductor, an nn.LSTM that is not fused, such as one in float64, returns final states of a wrong shape.

Fails with: torch>=2.10,<2.13
Instead: run the exported program itself, or take a newer PyTorch.
Shows: torch_lstm_aoti -p3 -float64 -float16
"""

import torch

lstm = torch.nn.LSTM(4, 5).double()
x = torch.randn(6, 2, 4, dtype=torch.float64)
exported = torch.export.export(lstm, (x,))
package = torch._inductor.aoti_compile_and_package(exported)
compiled = torch._inductor.aoti_load_package(package)(x)[1][0].shape
plain = lstm(x)[1][0].shape
assert compiled == plain, f"h_n has shape {tuple(compiled)}, of the nn.LSTM {tuple(plain)}"
