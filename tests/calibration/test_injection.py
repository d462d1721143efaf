"""Injected slowdowns do what they say."""

from benchmarks.calibration.injection import inject


def test_injected_work_is_in_proportion(tmp_path):
    """Counted, not timed: the injected calls burn a share of what the call takes."""
    source = (
        "import time\nfrom dataclasses import dataclass, replace\n"
        "@dataclass\nclass P:\n    load: object\n    forward: object\n    forward_train: object = None\n"
        "    backward: object = None\n    train_step: object = None\n"
        "    def start(self, mode, inputs):\n        return self.load(inputs)\n"
        "def prepare(*a):\n    return P(lambda i: i, lambda s: [x * x for x in range(30000)])\n"
    )
    counts = []
    for share in (0.1, 0.4):
        module: dict = {"__name__": "m"}
        exec(inject(source, share), module)
        prepared = module["prepare"](None, None, None, None)
        state = prepared.load(1)
        prepared.forward(state)
        assert prepared.forward.count is None  # the first call, which is timed by itself, does not calibrate
        prepared.forward(state)
        assert prepared.backward is None
        counts.append(prepared.forward.count)
    assert 2 <= counts[1] / counts[0] <= 8
