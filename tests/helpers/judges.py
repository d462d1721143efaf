"""An LSTM that nobody here wrote, as a judge: torch.nn.LSTM in float64."""

from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights


def torch_judge(problem, weights, inputs):
    import torch

    lstm = torch.nn.LSTM(
        problem.input_size,
        problem.hidden_size,
        problem.num_layers,
        bias=problem.bias,
        bidirectional=problem.bidirectional,
        proj_size=problem.proj_size,
    ).double()
    lstm.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    leaves = {name: torch.tensor(getattr(inputs, name), requires_grad=True) for name in ("x", "h0", "c0")}
    x = leaves["x"]
    if inputs.lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(inputs.lengths), enforce_sorted=False)
    h_n, c_n = leaves["h0"], leaves["c0"]
    if inputs.resets is None:
        output, (h_n, c_n) = lstm(x, (h_n, c_n))
    else:
        outputs = []
        for x_t, starts in zip(x, torch.tensor(inputs.resets), strict=True):
            goes_on = ~starts[:, None]
            output, (h_n, c_n) = lstm(x_t[None], (h_n * goes_on, c_n * goes_on))
            outputs.append(output)
        output = torch.cat(outputs)
    if inputs.lengths is not None:
        output = torch.nn.utils.rnn.pad_packed_sequence(output, total_length=problem.seq_len)[0]
    cotangents = [torch.tensor(getattr(inputs, name)) for name in ("d_output", "d_h_n", "d_c_n")]
    torch.autograd.backward([output, h_n, c_n], cotangents)
    results = {"output": output, "h_n": h_n, "c_n": c_n}
    results |= {f"grad_{name}": parameter.grad for name, parameter in lstm.named_parameters()}
    results |= {f"grad_{name}": leaf.grad for name, leaf in leaves.items()}
    return {name: value.detach().numpy() for name, value in results.items()}


def given(text):
    problem = Problem.parse(text).replace(dtype="float64")
    return problem, make_weights(problem, seed=5), make_inputs(problem, seed=6)
