"""The GPU as its driver sees it. NVML is made up."""

from types import SimpleNamespace

import pytest

from benchmarks.runner import cards
from benchmarks.runner.cards import Card
from benchmarks.worker.devices import Gpu
from benchmarks.worker.timing import Turn

GPU = Gpu("NVIDIA H100", "0000:1a:00.0", True)


class NVMLError(Exception):
    pass


SAYS = {
    "nvmlInit": None,
    "nvmlDeviceGetHandleByPciBusId": "card",
    "nvmlDeviceGetClockInfo": 1980,
    "nvmlDeviceGetTemperature": 54,
    "nvmlDeviceGetCurrentClocksEventReasons": 0,
    "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=7), SimpleNamespace(pid=8)],
}
FIELDS = dict(zip(list(SAYS)[2:], ("gpu_hertz", "gpu_celsius", "gpu_throttled", "gpu_others"), strict=True))


def nvml_of(unsupported=None, **says):
    """A pynvml that says this, without one function; `asked` has the calls."""
    nvml = SimpleNamespace(NVML_CLOCK_SM=1, NVML_TEMPERATURE_GPU=0, NVMLError=NVMLError, asked=[])

    def function(name, answer):
        def ask(*arguments):
            nvml.asked.append((name, *arguments))
            if name == unsupported:
                raise NVMLError("Not Supported")
            return next(answer) if hasattr(answer, "__next__") else answer

        return ask

    for name, answer in {**SAYS, **says}.items():
        setattr(nvml, name, function(name, answer))
    return nvml


def noted(nvml, own=frozenset({7})):
    """What a turn has of a card."""
    turn, card = Turn(seconds=1.0), Card(nvml, GPU.address)
    card.note(turn, card.throttled(), own)
    return {name: getattr(turn, name) for name in FIELDS.values()}


@pytest.mark.parametrize("name", [None, *FIELDS])
def test_a_turn_has_what_the_card_says_and_what_it_does_not_support_is_not_known(name):
    said = {"gpu_hertz": 1.98e9, "gpu_celsius": 54, "gpu_throttled": 0, "gpu_others": 1}
    assert noted(nvml_of(unsupported=name)) == said | ({FIELDS[name]: None} if name else {})


@pytest.mark.parametrize(
    ("bits", "held"), [((0x1, 0x2), 0), ((0x0, 0x4), 0x4), ((0x20, 0x4), 0x24), ((0x1, 0x80), 0x80)]
)
def test_a_turn_says_why_the_card_held_itself_back_and_not_that_it_was_idle(bits, held):
    assert noted(nvml_of(nvmlDeviceGetCurrentClocksEventReasons=iter(bits)))["gpu_throttled"] == held
    assert cards.words(0x24) == "power limit, temperature"


def test_process_ids_of_another_namespace_are_no_others():
    assert noted(nvml_of(), own={1, 2})["gpu_others"] is None
    assert noted(nvml_of(), own={7, 8})["gpu_others"] == 0
    assert noted(nvml_of(nvmlDeviceGetComputeRunningProcesses=[]))["gpu_others"] is None, "as in most containers"


def test_without_nvml_or_on_a_cpu_there_is_no_card(monkeypatch):
    nvml = nvml_of()
    monkeypatch.setattr(cards.importlib, "import_module", lambda _: nvml)
    assert cards.card(GPU) is not None
    assert nvml.asked[-1] == ("nvmlDeviceGetHandleByPciBusId", GPU.address), "the one that CUDA gives a worker"
    assert cards.card(None) is None
    for name in ("nvmlInit", "nvmlDeviceGetHandleByPciBusId"):
        nvml = nvml_of(unsupported=name)
        assert cards.card(GPU) is None
