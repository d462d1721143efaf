"""The layers and directions of an LSTM, run and joined as torch.nn.LSTM does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impls.api import Problem, layers


def stack(  # noqa: PLR0913
    problem: Problem,
    layer: Callable[..., tuple[Any, ...]],
    x: Any,
    h0: Any,
    c0: Any,
    *extra: Any,
    turned: Callable[..., Any],
    joined: Callable[[list[Any]], Any],
    stacked: Callable[[list[Any]], Any],
    between: Callable[[int, Any], Any] | None = None,
) -> tuple[Any, Any, Any]:
    """Run every layer and direction, each on x (T, B, I) or on the outputs of the layer before; h0, c0 (L·D, B, H).

    Args:
        extra: lengths or resets, where the problem has either.
        layer: (suffix, x (T, B, ·), h (B, H), c (B, H), extra) → output (T, B, H), h, c: one direction of one layer.
        turned: turns x (T, B, ·) round in time; with lengths, each row within its length.
        joined: joins the outputs of two directions on their last axis.
        stacked: makes one array of several.
        between: (number of a layer, its outputs) → what the next layer gets.

    Returns:
        output (T, B, D·H), h_n and c_n (L·D, B, H).
    """
    last_h, last_c, outputs = [], [], []
    for k, (number, suffix, _) in enumerate(layers(problem)):
        reverse = suffix.endswith("_reverse")
        output, h, c = layer(suffix, turned(x, *extra) if reverse else x, h0[k], c0[k], *extra)
        outputs.append(turned(output, *extra) if reverse else output)
        last_h.append(h)
        last_c.append(c)
        if len(outputs) == problem.directions:
            x = joined(outputs) if problem.bidirectional else outputs[0]
            outputs = []
            if between and number + 1 < problem.num_layers:
                x = between(number, x)
    return x, stacked(last_h), stacked(last_c)
