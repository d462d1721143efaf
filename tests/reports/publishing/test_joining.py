"""Rounds that were measured apart: which are joined to one published run, and which are refused."""

import pytest

from reports import frames, history, run_folder
from reports.publishing import joining
from reports.publishing.command import MOST_NAMED
from tests.helpers.publishing import names, publish
from tests.helpers.records import publishable


def of_round(number, **changes):
    """One round of a run: its times are all 1 % above those of the round before, but for the baseline's."""

    def change(row):
        factor = 1 if row["implementation"] == "torch_lstm" else 1.01**number
        row["turns"] = [{**turn, "seconds": turn["seconds"] * factor} for turn in row["turns"]]
        row.update(
            run_id=f"2026010{number}T000000-r", seconds=row["seconds"] * factor, error=number * 1e-8,
            error_tensor=f"of {number}",
            first_call_seconds=number / 10, status="ok", **changes,
        )  # fmt: skip

    return change


def test_rounds_of_one_run_are_published_as_one(tmp_path):
    """A run of other code is none of its rounds."""
    to = tmp_path / "published"
    one, two, three = (publishable(tmp_path / name, of_round(k)) for k, name in enumerate(("one", "two", "three"), 1))
    other = publishable(tmp_path / "other", of_round(4, digest="another"))
    done = publish(three, to, one, two, other)
    assert (done.exception, done.return_value) == (None, 0), done.stderr
    assert names(to) == ["other", "three"]  # a single run replaces no rounds
    run = frames.read_run(to / "three")
    assert (run.run_id[:8], run.rounds) == ("20260103", {f"2026010{k}T000000-r": 4 for k in (1, 2, 3)})
    rows = run_folder.complete(run).summary.groupby("implementation").first()
    scan = rows.loc["jax_scan"]
    assert (scan["ratio_n"], scan["error_tensor"], scan["first_call_seconds"]) == (3, "of 3", 0.2)
    assert scan["ratio"] == pytest.approx(2 * 1.01**2)
    assert scan["ratio_high"] / scan["ratio"] > 1.01**2  # 1 % apart, with the error of a fourth round
    assert (
        "3 rounds of 4 replicates of 2 blocks, begun at 2026-01-01 00:00, 2026-01-02 00:00 and"
        in (to / "three" / "table.md").read_text()
    )


@pytest.mark.nightly
def test_a_run_of_other_releases_replaces_rounds(tmp_path):
    to = tmp_path / "published"
    publish(publishable(tmp_path / "one", of_round(1)), to, publishable(tmp_path / "two", of_round(2)))
    newer = publishable(tmp_path / "newer", of_round(3, versions="torch 3"))
    environment = newer / "environment.json"
    environment.write_text(environment.read_text().replace('"versions": {', '"versions": {"torch": "3", '))
    assert (publish(newer, to).exception, names(to)) == (None, ["newer"])


@pytest.mark.nightly
def test_publishing_names_the_rows_that_have_left_their_earlier_intervals(tmp_path, monkeypatch):
    to = tmp_path / "published"
    to.mkdir()
    history.read()[:0].to_parquet(to / "rounds.parquet")
    monkeypatch.setattr(history, "FILE", to / "rounds.parquet")
    history.read.cache_clear()

    def slower(row):
        of_round(6, digest="another")(row)
        if row["implementation"] == "jax_scan":
            of_times = [{**turn, "seconds": 2 * turn["seconds"]} for turn in row["turns"]]
            row.update(turns=of_times, seconds=2 * row["seconds"])

    first, *others = (publishable(tmp_path / f"round {k}", of_round(k)) for k in range(1, 6))
    done = [publish(first, to, *others), publish(publishable(tmp_path / "slower", slower), to)]
    history.read.cache_clear()
    assert [each.exception for each in done] == [None, None]
    assert "left" not in done[0].stdout
    named = [line for line in done[1].stdout.splitlines() if line.startswith("left its earlier intervals: jax_scan, ")]
    assert len(named) == MOST_NAMED
    assert all("and other code on 2026-01-01 to 2026-01-05, 4.2" in line for line in named)


def test_what_failed_in_one_round_has_no_time(tmp_path):
    def fail(row):
        of_round(2)(row)
        if row["implementation"] == "jax_scan":
            row.update(status="disagrees", reason="grad_x", seconds=None, turns=None)

    good, bad = publishable(tmp_path / "good", of_round(1)), publishable(tmp_path / "bad", fail)
    (path,) = joining.gathered([good, bad], tmp_path)
    run = frames.read_run(path)
    for rows in (run.records, run_folder.complete(run).summary):
        scan = rows[rows["implementation"] == "jax_scan"]
        assert set(scan["status"]) == {"disagrees"}
        assert scan["seconds"].isna().all()


def test_a_further_round_is_joined_with_the_published_ones_and_only_once(tmp_path):
    """On another day, by another kernel, also an earlier one, and one with few replicates."""
    to = tmp_path / "published"

    def short(row):
        of_round(3)(row)
        return row["replicate"] < 2

    published = []
    for name, change, system in (("two", of_round(2), "a"), ("one", of_round(1), "b"), ("three", short, "c")):
        done = publish(publishable(tmp_path / name, change, system=system), to)
        assert (done.exception, done.return_value) == (None, 0), done.stderr
        published += names(to)
    assert published == ["two", "two", "three"], "it has the name of its newest round"
    run = frames.read_run(to / "three")
    assert run.rounds == {"20260101T000000-r": 4, "20260102T000000-r": 4, "20260103T000000-r": 2}
    assert run.metadata.systems == ("a", "b", "c")
    content = (to / "three" / "results.parquet").read_bytes()
    for again in ((tmp_path / "one",), (tmp_path / "three", tmp_path / "two"), (to / "three",)):
        done = publish(again[0], to, *again[1:])
        assert (done.exception, done.return_value) == (None, 0), done.stderr
        assert f"published already: {again[0].name}" in done.stdout
        assert names(to) == ["three"]
        assert (to / "three" / "results.parquet").read_bytes() == content


@pytest.mark.nightly
def test_a_round_that_names_its_python_is_one_of_older_rounds_which_do_not(tmp_path):
    to = tmp_path / "published"
    older = publishable(tmp_path / "one", of_round(1, versions="torch 2"))
    python = frames.read_run(older).metadata.versions["python"]
    publish(older, to)
    publish(publishable(tmp_path / "two", of_round(2, versions=f"torch 2, Python {python}")), to)
    assert len(frames.read_run(to / "two").rounds) == 2
    done = publish(publishable(tmp_path / "three", of_round(3, versions="torch 2, Python 3.99.0")), to)
    assert "no round of two: they differ in the versions of" in done.stdout


@pytest.mark.nightly
def test_a_run_of_which_some_code_changed_says_so(tmp_path):
    to = tmp_path / "published"

    def changed(row):
        of_round(2)(row)
        if row["implementation"] == "jax_scan":
            row["digest"] = "another"

    publish(publishable(tmp_path / "one", of_round(1)), to, publishable(tmp_path / "three", of_round(3)))
    done = publish(publishable(tmp_path / "two", changed), to)
    assert names(to) == ["three", "two"]
    assert "no round of three: they differ in the code of jax_scan\n" in done.stdout


@pytest.mark.nightly
@pytest.mark.parametrize(("time", "published"), [("002429", ["run"]), ("002500", ["later"])])
def test_rounds_that_began_soon_after_each_other_are_not_joined(time, published, tmp_path):
    """But a run that was measured so is published, and so are all its rounds where one is there already."""
    to = tmp_path / "published"
    later = publishable(tmp_path / "later", lambda row: row.update(run_id=f"20260101T{time}-r"))
    run = publishable(tmp_path / "run")
    publish(run, to)
    done = publish(later, to)
    assert names(to) == published
    refused = published == ["run"]
    assert done.return_value == refused
    assert ("its round 20260101T002429-r and 20260101T000000-r of run" in done.stderr) == refused
    assert (publish(run, tmp_path / "together", later).exception is not None) == refused

    whole = joining.join([joining.SavedRun.read(folder) for folder in (run, later)], tmp_path)
    assert publish(whole, to).return_value == 0
    assert len(frames.read_run(to / "later").rounds) == 2


@pytest.mark.nightly
def test_rounds_of_two_peaks_are_two_runs(tmp_path, monkeypatch):
    to = tmp_path / "published"
    one, two, three = (publishable(tmp_path / name, of_round(k)) for k, name in enumerate(("one", "two", "three"), 1))
    speeds = {"20260101T000000-r": 430e9, "20260102T000000-r": 474e9, "20260103T000000-r": 434e9}
    monkeypatch.setattr(joining.peak, "speed", lambda records: speeds[records["run_id"].iloc[0]])
    monkeypatch.setattr(joining.history, "has_peak_of", lambda run, rounds: run.rounds.keys() == rounds)
    assert publish(three, to, one, two).return_value == 0
    assert {name: len(frames.read_run(to / name).rounds) for name in names(to)} == {"two": 1, "three": 2}
