"""A bidirectional LSTM on rows of different lengths, with dropout: torch.nn.LSTM, then native_lstm.LSTM.

pip install ./impls/native, then: python docs/packed_lstm.py
"""

import time

import torch
from native_lstm import LSTM
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

STEPS, BATCH, INPUT_SIZE, HIDDEN_SIZE = 64, 16, 128, 128


def train(lstm: torch.nn.LSTM, rows: PackedSequence) -> tuple[float, dict[str, torch.Tensor]]:
    """Return the seconds of a training step, and what the first one gave: the output and every gradient."""
    torch.manual_seed(1)  # dropout then drops the same
    optimizer = torch.optim.SGD(lstm.parameters(), lr=0.1)
    seconds = []
    first = {}
    for _ in range(10):
        start = time.perf_counter()
        optimizer.zero_grad()
        output, _ = lstm(rows)
        output.data.square().mean().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        if not first:
            first = {name: parameter.grad.clone() for name, parameter in lstm.named_parameters()}
            first["output"] = output.data.detach()
    return min(seconds), first


x = torch.randn(STEPS, BATCH, INPUT_SIZE)
lengths = torch.arange(1, BATCH + 1) * STEPS // BATCH
packed = pack_padded_sequence(x, lengths, enforce_sorted=False)

arguments = {"num_layers": 2, "bidirectional": True, "dropout": 0.5}
theirs = torch.nn.LSTM(INPUT_SIZE, HIDDEN_SIZE, **arguments)
ours = LSTM(INPUT_SIZE, HIDDEN_SIZE, **arguments)
ours.load_state_dict(theirs.state_dict())
print(ours.path(packed))

seconds_of_theirs, want = train(theirs, packed)
seconds_of_ours, got = train(ours, packed)
for name, tensor in want.items():
    error = (got[name] - tensor).abs().max() / tensor.abs().max()
    assert error < 4e-5, f"{name} differs by {error}"
print(
    f"{len(want)} tensors agree. torch.nn.LSTM: {seconds_of_theirs:.4f} s, native_lstm.LSTM: {seconds_of_ours:.4f} s"
)
