"""Did it get slower? Two sides, base and head, measured turn by turn in one run, and a decision in two steps."""
