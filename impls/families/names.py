"""The canonical names of what a mode returns."""

from __future__ import annotations


def result_names(workload: str, mode: str, weights: list[str], grads: list[str]) -> list[str]:
    """Return the canonical names of a mode's results, in the order in which the mode returns them."""
    if workload == "model":
        return {
            "forward": ["prediction"],
            "forward_train": ["loss", "prediction"],
            "backward": grads,
            "train_step": ["loss", *(f"param_{name}" for name in weights)],
        }[mode]
    outputs = ["output", "h_n", "c_n"]
    return {"forward": outputs, "forward_train": outputs, "backward": grads, "train_step": outputs + grads}[mode]
