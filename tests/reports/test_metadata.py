"""environment.json: what it does not say is unknown, and a wrong value is refused in one line that names its place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metadata import Metadata, dumps, parse
from reports import frames, markdown, metadata
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
        (without(ENVIRONMENT, "run.baseline"), "run: Object missing required field baseline"),
        (without(ENVIRONMENT, "run.run_id"), "run: Object missing required field run_id"),
        ({**ENVIRONMENT, "machine": "fast"}, "machine: Expected object, got str"),
        ({**ENVIRONMENT, "machine": {**ENVIRONMENT["machine"], "memory_bytes": "much"}}, "machine.memory_bytes"),
    ],
)
def test_an_environment_that_lacks_what_is_needed_is_refused(content, message, tmp_path):
    save(tmp_path, SMALL)
    (tmp_path / "environment.json").write_text(json.dumps(content))
    assert message in refused(tmp_path)


@pytest.mark.parametrize(
    "left_out", ["machine", "machine.cores", "versions", "commit.id", "matmul_precision", "run.seed"]
)
def test_what_an_environment_does_not_say_is_unknown(left_out, tmp_path):
    save(tmp_path, SMALL)
    (tmp_path / "environment.json").write_text(json.dumps(without(ENVIRONMENT, left_out)))
    run = frames.read_run(tmp_path)
    assert markdown.document(run, summarise(run))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cpu", "id", "run_id"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=200)
@given(st.sampled_from([*ENVIRONMENT, "run.threads", "machine.cpu", "machine.gpu", "commit.id"]), json_values)
def test_any_json_in_an_environment_is_read_or_refused(path, value):
    content = json.loads(json.dumps(ENVIRONMENT))
    part = content
    *outer, last = path.split(".")
    for name in outer:
        part = part[name]
    part[last] = value
    try:
        found = metadata.checked(content, "it")
    except frames.Unreadable as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are right
    else:
        assert isinstance(found.run.run_id, str)


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_a_published_file_is_kept_whole(folder):
    """Everything in it is read, and written again."""
    content = json.loads((folder / "environment.json").read_text())
    assert contains(json.loads(dumps(parse(content))), content)


def contains(whole, part):
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return whole == part


@given(st.text(max_size=5), st.integers(0, 2**40) | st.none(), st.booleans() | st.none())
def test_what_is_written_is_read_again(word, number, flag):
    content = {
        "machine": {"cpu": word, "cores": number},
        "versions": {"python": word, "torch": None},
        "commit": {"id": word, "dirty": flag},
        "floor_libraries": {word: word},
        "run": {"run_id": word, "baseline": word, "seed": number, "benchmarks": [word]},
    }
    known = parse(content)
    assert isinstance(known, Metadata)
    assert parse(json.loads(dumps(known))) == known


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("machine.cpu", 3),
        ("machine.cores", "2"),
        ("machine.cores", True),
        ("commit.dirty", "no"),
        ("run.seed", 1.5),
        ("run.run_id", 20261124),
        ("versions.python", 3.11),
    ],
)
def test_numbers_are_not_taken_for_words_nor_words_for_numbers(path, value):
    part, name = path.split(".")
    content = {**ENVIRONMENT, part: {**ENVIRONMENT[part], name: value}}
    with pytest.raises(ValueError, match=rf"^{part}\.(\*|{name}): Expected "):
        parse(content)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("machine.cores", -2),
        ("machine.memory_bytes", -1),
        ("machine.memory_bytes", 10**30),
        ("run.threads", -1),
        ("run.replicates", -3),
        ("run.call_seconds", float("inf")),
        ("run.turn_seconds", -0.5),
    ],
)
def test_a_number_that_can_not_be_true_is_refused(path, value):
    content = json.loads(json.dumps(ENVIRONMENT))
    part, name = path.split(".")
    metadata.checked(content, "it")  # the negative control
    content[part][name] = value
    with pytest.raises(frames.Unreadable, match=f"^it is not what a run writes: {path}"):
        metadata.checked(content, "it")
