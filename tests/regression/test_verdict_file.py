"""regression.json: older ones are read, too."""

from benchmarks.regression import verdict_file
from tests.helpers.processes import ROOT


def test_what_an_older_gate_called_unknown_is_unclear():
    folder = ROOT / "reports" / "published" / "gates-of-one-2026-11-29" / "torch_lstm-t100-b32-i64-h256"
    assert '"unknown"' in (folder / verdict_file.FILE).read_text()
    verdicts = {finding.verdict for finding in verdict_file.read(folder).findings}
    assert "unclear" in verdicts
    assert "unknown" not in verdicts
