"""An LSTM and its gradients in 50 digits with mpmath, one number at a time: what the reference is judged by.

The gradients come from a small automatic differentiation, so that no formula of the reference is repeated here.
"""

import numpy as np
from mpmath import mp, mpf

DIGITS = 50


class Number:
    """A number that remembers what it was computed from, each part with its derivative."""

    def __init__(self, value, parts=()):
        self.value = value
        self.parts = parts
        self.gradient = mpf(0)

    def __add__(self, other):
        return Number(self.value + other.value, ((self, mpf(1)), (other, mpf(1))))

    def __mul__(self, other):
        return Number(self.value * other.value, ((self, other.value), (other, self.value)))

    def sigmoid(self):
        away = mp.exp(-abs(self.value))
        value = (1 if self.value >= 0 else away) / (1 + away)
        return Number(value, ((self, away / (1 + away) ** 2),))

    def tanh(self):
        return Number(mp.tanh(self.value), ((self, mp.sech(self.value) ** 2),))


def _backward(last):
    """Add the derivative of `last` with respect to each number to its gradient."""
    order, seen, waiting = [], set(), [(last, False)]
    while waiting:
        number, done = waiting.pop()
        if done:
            order.append(number)
        elif id(number) not in seen:
            seen.add(id(number))
            waiting.append((number, True))
            waiting.extend((part, False) for part, _ in number.parts)
    last.gradient = mpf(1)
    for number in reversed(order):
        for part, slope in number.parts:
            part.gradient += slope * number.gradient


def _numbers(array):
    return np.vectorize(lambda value: Number(mpf(float(value))), otypes=[object])(array)


def _direction(steps, h, c, weight_ih, weight_hh, biases):
    """One direction of one layer: the last h and c, and h after each step, as object arrays."""
    outputs = []
    for x in steps:
        z = x @ weight_ih.T + h @ weight_hh.T
        for bias in biases:
            z = z + bias
        i, f, g, o = np.split(z, 4, axis=1)
        c = _each("sigmoid", f) * c + _each("sigmoid", i) * _each("tanh", g)
        h = _each("sigmoid", o) * _each("tanh", c)
        outputs.append(h)
    return h, c, outputs


def _each(function, array):
    return np.vectorize(lambda number: getattr(number, function)(), otypes=[object])(array)


def run_sequence(problem, weights, inputs):
    """Return what reference.run_sequence returns, rounded to float64 at the very end."""
    with mp.workdps(DIGITS):
        numbers = {name: _numbers(value) for name, value in weights.items()}
        given = {name: _numbers(getattr(inputs, name)) for name in ("x", "h0", "c0")}
        steps, last_h, last_c = list(given["x"]), [], []
        for layer in range(problem.num_layers):
            outputs = []
            for suffix in (f"l{layer}", f"l{layer}_reverse")[: problem.directions]:
                k, turn = len(last_h), -1 if suffix.endswith("reverse") else 1
                biases = [numbers[f"bias_{kind}_{suffix}"] for kind in ("ih", "hh")] if problem.bias else []
                matrices = [numbers[f"weight_{kind}_{suffix}"] for kind in ("ih", "hh")]
                h, c, found = _direction(steps[::turn], given["h0"][k], given["c0"][k], *matrices, biases)
                last_h.append(h)
                last_c.append(c)
                outputs.append(found[::turn])
            steps = [np.concatenate(parts, axis=1) for parts in zip(*outputs, strict=True)]
        results = {"output": np.stack(steps), "h_n": np.stack(last_h), "c_n": np.stack(last_c)}
        cotangents = {"output": inputs.d_output, "h_n": inputs.d_h_n, "c_n": inputs.d_c_n}
        _backward(sum(((results[name] * _numbers(cotangents[name])).sum() for name in results), Number(mpf(0))))
        found = {name: _rounded(array, "value") for name, array in results.items()}
        return found | {f"grad_{name}": _rounded(array, "gradient") for name, array in (numbers | given).items()}


def _rounded(array, field):
    return np.vectorize(lambda number: float(getattr(number, field)), otypes=[float])(array)
