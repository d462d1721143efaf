"""The GPU as its driver sees it. NVML is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.runner import cards
from benchmarks.runner.cards import Card
from benchmarks.worker.timing import Turn


class NVMLError(Exception):
    pass


class Nvml:
    """The functions of pynvml that the suite asks. `unsupported` has the names of those that this card lacks."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0
    NVMLError = NVMLError

    def __init__(self, unsupported=(), bits=(0,), cards=1):
        self.unsupported = unsupported
        self.bits = iter(bits)
        self.cards = cards
        self.asked = []

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def function(*arguments):
            self.asked.append((name, *arguments))
            if name in self.unsupported:
                raise NVMLError("Not Supported")
            return getattr(self, f"_{name}")(*arguments)

        return function

    def _nvmlInit(self):
        return None

    def _nvmlDeviceGetHandleByIndex(self, index):
        if index >= self.cards:
            raise NVMLError("Invalid Argument")
        return f"card {index}"

    def _nvmlDeviceGetHandleByUUID(self, uuid):
        return uuid

    def _nvmlDeviceGetClockInfo(self, _, kind):
        assert kind == self.NVML_CLOCK_SM
        return 1980

    def _nvmlDeviceGetTemperature(self, *_):
        return 54

    def _nvmlDeviceGetCurrentClocksEventReasons(self, _):
        return next(self.bits)

    def _nvmlDeviceGetComputeRunningProcesses(self, _):
        return [SimpleNamespace(pid=7), SimpleNamespace(pid=8)]


def noted(nvml, own=(7,)):
    """A turn with what a card says of it."""
    turn, card = Turn(seconds=1.0), Card(nvml)
    card.note(turn, card.throttled(), own)
    return {name: getattr(turn, name) for name in FIELDS.values()}


FIELDS = {
    "nvmlDeviceGetClockInfo": "gpu_hertz",
    "nvmlDeviceGetTemperature": "gpu_celsius",
    "nvmlDeviceGetCurrentClocksEventReasons": "gpu_throttled",
    "nvmlDeviceGetComputeRunningProcesses": "gpu_others",
}
SAID = {"gpu_hertz": 1.98e9, "gpu_celsius": 54, "gpu_throttled": 0, "gpu_others": 1}


@pytest.mark.parametrize("name", [None, *FIELDS])
def test_a_turn_has_what_the_card_says_and_what_it_does_not_support_is_not_known(name):
    assert noted(Nvml(unsupported=[name], bits=(0, 0))) == SAID | ({FIELDS[name]: None} if name else {})


@pytest.mark.parametrize(
    ("bits", "throttled"),
    [((0x1, 0x2), 0), ((0x0, 0x4), 0x4), ((0x20, 0x4), 0x24), ((0x1, 0x80), 0x80)],
)
def test_a_turn_says_why_the_card_held_itself_back_and_not_that_it_was_idle(bits, throttled):
    assert noted(Nvml(bits=bits))["gpu_throttled"] == throttled


def test_process_ids_of_another_namespace_are_no_others():
    assert noted(Nvml(bits=(0, 0)), own=(1, 2))["gpu_others"] is None
    assert noted(Nvml(bits=(0, 0)), own=(7, 8))["gpu_others"] == 0


def test_reasons_have_words():
    assert cards.words(0x24) == "power limit, temperature"


@pytest.mark.parametrize(
    ("visible", "asked"),
    [(None, ("nvmlDeviceGetHandleByIndex", 0)), ("1,0", ("nvmlDeviceGetHandleByIndex", 1)),
     ("GPU-12ab,GPU-34", ("nvmlDeviceGetHandleByUUID", "GPU-12ab"))],
)  # fmt: skip
def test_the_card_is_the_first_that_is_visible(monkeypatch, visible, asked):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    nvml = Nvml(cards=2)
    Card(nvml)
    assert asked in nvml.asked


@pytest.mark.parametrize("nvml", [Nvml(cards=0), Nvml(unsupported=["nvmlInit"])])
def test_where_nvml_sees_no_card_there_is_none(monkeypatch, nvml):
    monkeypatch.setattr(cards.importlib, "import_module", lambda _: nvml)
    assert cards.card("cuda") is None


def test_the_cpu_has_no_card():
    assert cards.card("cpu") is None
