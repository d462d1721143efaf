"""environment.json: what it does not say is unknown, and a wrong value is refused in one line that names its place."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import json_files
from benchmarks.metadata import Commit, Machine, Metadata
from benchmarks.options import Options
from impls.core.text import json_text
from reports import frames, tables
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import ENVIRONMENT, PUBLISHED, SMALL, refused, save


def without(content, path):
    copy = json.loads(json.dumps(content))
    part = copy
    *outer, last = path.split(".")
    for name in outer:
        part = part[name]
    del part[last]
    return copy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the whole file"),
        ("text", "the whole file"),
        (without(ENVIRONMENT, "run"), "the whole file: Object missing required field run"),
        (without(ENVIRONMENT, "run.run_id"), "mixes two runs"),
        ({**ENVIRONMENT, "machine": "fast"}, "machine: Expected object, got str"),
        ({**ENVIRONMENT, "machine": {**ENVIRONMENT["machine"], "memory_bytes": "much"}}, "machine.memory_bytes"),
    ],
)
def test_an_environment_that_lacks_what_is_needed_is_refused(content, message, tmp_path):
    save(tmp_path, SMALL)
    (tmp_path / "environment.json").write_text(json.dumps(content))
    assert message in refused(tmp_path)


@pytest.mark.parametrize(
    "left_out", ["machine", "machine.cores", "versions", "commit.id", "matmul_precision", "run.seed", "run.baseline"]
)
def test_what_an_environment_does_not_say_is_unknown(left_out, tmp_path):
    save(tmp_path, SMALL)
    (tmp_path / "environment.json").write_text(json.dumps(without(ENVIRONMENT, left_out)))
    run = frames.read_run(tmp_path)
    assert tables.markdown(Report(run, summarise(run)))


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_a_published_file_is_kept_whole(folder):
    """Everything in it is read, and written again; of the run, what is an option, and nothing of its floor."""
    content = json.loads((folder / "environment.json").read_text())
    content["run"] = {name: value for name, value in content["run"].items() if name in Options.__struct_fields__}
    for name in ("peak_library", "floor_libraries", "rates"):
        content.pop(name, None)
    for name in ("dispatch", "max_hertz", "physical_cores"):
        content["machine"].pop(name, None)
    assert contains(json.loads(json_text(json_files.read(folder / "environment.json", Metadata))), content)


def contains(whole, part):
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return whole == part


@given(st.text(max_size=5), st.integers(0, 2**40) | st.none(), st.booleans() | st.none())
def test_what_is_written_is_read_again(word, number, flag):
    known = Metadata(
        machine=Machine(cpu=word, cores=number),
        versions={"python": word, "torch": None},
        commit=Commit(id=word, dirty=flag),
        run=Options(run_id=word, baseline=word, seed=number or 0, benchmarks=(word,)),
    )
    assert msgspec.json.decode(json_text(known), type=Metadata) == known
