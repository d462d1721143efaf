"""nn.LSTM on packed rows does not check the batch of its states, and overruns memory.
https://github.com/pytorch/pytorch/issues/173946

Fails with: torch>=2.13
Instead: compare `states[0].shape[1]` with `packed.batch_sizes[0]` before the call.
"""

import resource

import torch
from torch.nn.utils.rnn import pack_padded_sequence

resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))  # 8 GB: what is overrun may be taken for a size
lstm = torch.nn.LSTM(8, 8)
packed = pack_padded_sequence(torch.randn(5, 10, 8), torch.full((10,), 5))
states = torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)  # a batch of 2, not of 10
try:
    output = lstm(packed, states)[0].data.shape
except RuntimeError as error:
    assert "size" in str(error).lower(), f"it raises, but not for the sizes: {error}"
else:
    raise AssertionError(f"10 rows beside 2 states give {output}")
