"""Whether the same input gives the same bits, as a worker tells it and a file of cells has it."""

import msgspec


class Bits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By how much a row's output differs, at most; 0 for the same bits, None where it was not compared.

    next_call: in a second call on the same input.
    alone: where the row is alone in its batch.
    threads: where PyTorch has two threads in place of one.
    """

    next_call: float
    alone: float
    threads: float | None = None
