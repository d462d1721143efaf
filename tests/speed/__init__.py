"""How long the suite's own commands take. These are no tests: `python -m tests.speed.NAME` prints figures."""
