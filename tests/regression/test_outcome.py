"""What a gate says of what could not be compared, and its exit codes."""

import pytest

from benchmarks.measurement.admission import Admission
from benchmarks.regression import outcome


def admission(status="ok", error=1e-7):
    return Admission("i", "b", status, "why", error=error, error_tensor="output")


@pytest.mark.parametrize(
    ("base", "head", "kind"),
    [
        (admission(), admission(), None),
        (admission(), None, "missing"),
        (admission(), admission("disagrees"), "disagrees"),
        (admission(), admission("crashed"), "lost"),
        (admission(), admission("unsupported"), "lost"),
        (admission(), admission(error=5e-6), "inaccurate"),
        (admission(error=1e-6), admission(error=5e-6), None),
        (None, admission(), "new"),
        (None, admission("disagrees"), "disagrees"),
        (None, admission("crashed"), "lost"),
        (admission("not_installed"), admission(), "new"),
        (admission("unsupported"), admission("unsupported"), "absent"),
        (admission("disagrees"), admission(), "new"),
        (admission("disagrees"), admission("disagrees"), "absent"),
        (admission("out_of_memory"), admission(), "unmeasured"),
        (admission("crashed"), admission("crashed"), "lost"),
    ],
)
def test_what_is_said_of_what_can_not_be_compared(base, head, kind):
    found = outcome.standing_of("b", base, head, "float32")
    assert (found and found.kind) == kind


def test_only_what_could_be_measured_passes():
    def code(kind, strict=False):
        return outcome.Result(0.02, standings=[outcome.Standing("b", kind, "why")] if kind else []).exit_code(strict)

    assert code("disagrees") == code("inaccurate") == 1
    assert code("missing") == code("lost") == code("unmeasured") == 3
    assert code("new") == code(None) == 3  # nothing was compared at all
