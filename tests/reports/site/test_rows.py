"""What a row of rows.html says where it is opened."""

import shlex
import subprocess

import msgspec
import pytest

from benchmarks.metadata import Commit
from reports.site.rows import again, command, executable, over_lines
from tests.helpers.answers import report_of
from tests.helpers.records import described, save, trained


def test_a_row_is_measured_again_by_what_its_run_was_given(tmp_path):
    given = ("base", "/home/me@x/mine.py@torch==2.9.*")
    found = report_of(save(tmp_path, [*trained("base", 1e-3), *trained("mine@torch==2.9.*", 1e-3)]))
    run = msgspec.structs.replace(found.run.metadata.run, implementations=given, precision="tf32")
    row = next(each for each in found.summary.itertuples() if each.implementation != "base")
    words = shlex.split(command(described(found.run, run=run), row))
    assert [words[k + 1] for k, word in enumerate(words) if word == "--impl"] == [given[1], given[0]]
    assert words[words.index("--precision") + 1] == "tf32"
    assert "--precision" not in command(found.run, row)


def test_a_row_is_measured_again_at_its_commit_with_its_versions(tmp_path):
    """What a name says of its release is not pinned for the whole suite."""
    rows = trained("base", 1e-3, versions="torch 2.13.0+cpu, Python 3.11.7")
    rows += trained("old@jax==0.8.*", 1e-3, versions="jax 0.8.3")
    report = report_of(save(tmp_path, rows))
    versions = {"torch": "2.13.0+cpu", "jax": "0.12.0"}
    run = described(report.run, commit=Commit(id="f" * 40, dirty=False), versions=versions)
    lines = {row.implementation: again(run, row) for row in report.summary.itertuples()}
    start = f"git checkout {'f' * 12} && printf '%s\\n' torch==2.13.0"
    assert lines["base"].startswith(f"{start} jax==0.12.0 > pins.txt && UV_CONSTRAINT=$PWD/pins.txt nox -s bench -- ")
    assert lines["old@jax==0.8.*"].startswith(f"{start} > pins.txt && ")
    [base] = [row for row in report.summary.itertuples() if row.implementation == "base"]
    assert executable(run, base) == "python3.11"


@pytest.mark.process
def test_a_line_means_the_same_over_several_lines(tmp_path):
    """A shell that says what it runs instead of running it."""
    line = "git checkout f && printf '%s\\n' 'torch==2' > pins.txt && P=1 nox -s bench -- --impl 'my lstm.py' --seed 3"
    says = "git() { echo git $*; }; nox() { echo $P nox $*; };\n"

    def said(text):
        return subprocess.run(["bash", "-ec", says + text], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert said(over_lines(line)).stdout == said(line).stdout
    assert over_lines(line).count("\n") == 4
