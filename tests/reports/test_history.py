"""What lasts for a round, on simulated rounds whose answer is known, and on every round on record."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.statistics.intervals import Means, t_interval
from benchmarks.statistics.rounds import effective, mean_of_rounds, one_more
from reports import history
from reports.estimates import intervals
from reports.frames import ARM, BENCHMARK
from reports.history import NOTHING
from tests.helpers.records import SMALL, record, save

WITHIN, ARMS, PROBLEMS = 0.02, 6, 60
CODE = ["digest", "versions"]


def simulated(rng, between, rounds, replicates=4):
    """Logs of rounds; the truth of each is 0. Half of what lasts is common to a problem, as a baseline's."""
    shape = (PROBLEMS, ARMS, rounds, replicates)
    logs = rng.normal(0, WITHIN, shape)
    logs += rng.normal(0, between / 2**0.5, (PROBLEMS, 1, rounds, 1))
    logs += rng.normal(0, between / 2**0.5, (PROBLEMS, ARMS, rounds, 1))
    names = ["problem", "implementation", "round", "replicate"]
    index = pd.MultiIndex.from_product([range(size) for size in shape], names=names)
    rows = pd.DataFrame({"log": logs.ravel()}, index=index).reset_index()
    return rows.assign(workload="w", mode="m", device="cpu", digest="d", versions="v")


def of_rounds(rows):
    """As history.read has them."""
    of_round = rows.groupby([*ARM, *CODE, "round"])["log"].agg(["median", "var", "size"]).reset_index()
    of_round["explained"] = of_round["var"] / effective(of_round["size"].to_numpy())
    return of_round.rename(columns={"median": "value"})


def held(estimates, rows):
    """The share of the estimates whose interval has the value of a later round."""
    value = rows.groupby(ARM)["log"].median().to_numpy()
    low, high = (np.log(estimates[f"ratio_{end}"].to_numpy()) for end in ("low", "high"))
    return ((low <= value) & (value <= high)).mean()


@pytest.mark.parametrize("between", [0.0, 0.01, 0.05])
@pytest.mark.parametrize(("on_record", "measured"), [(8, 1), (8, 5), (0, 5)])
def test_one_more_round_lies_within(between, on_record, measured):
    rng, share = np.random.default_rng(1), []
    for _ in range(6):
        rows = simulated(rng, between, on_record + measured + 1)
        record = rows[rows["round"] < on_record]
        lasting = history.between(of_rounds(record), BENCHMARK, ARM, CODE)
        now = rows[(rows["round"] >= on_record) & (rows["round"] < on_record + measured)]
        share.append(held(intervals(now, ARM, "ratio", lasting), rows[rows["round"] == on_record + measured]))
    assert 0.93 <= np.mean(share) <= 0.99, np.mean(share)


def test_several_rounds_never_claim_less_than_is_on_record():
    """Five rounds of a quiet evening, on a machine whose rounds are known to differ by 5 %."""
    rng = np.random.default_rng(2)
    now = simulated(rng, 0.0, 5)
    lasting = history.between(of_rounds(simulated(rng, 0.05, 8)), BENCHMARK, ARM, CODE)
    estimates = intervals(now, ARM, "ratio", lasting)
    half = np.log(estimates["ratio_high"] / estimates["ratio"])
    assert np.median(half) > 2 * 0.05
    assert np.median(np.log(intervals(now, ARM, "ratio", lasting[:0])["ratio_high"])) < 0.05


def test_what_lasts_is_what_replicates_do_not_explain_in_rounds_of_the_same_code():
    rng = np.random.default_rng(3)
    rounds = of_rounds(simulated(rng, 0.03, 12))
    assert history.between(rounds, ["mode"], ARM, CODE)["sd"][0] == pytest.approx(0.03, rel=0.1)
    rounds["value"] += rounds["round"] > 5
    rounds["digest"] = rounds["digest"].where(rounds["round"] <= 5, "newer")
    of_code = history.between(rounds, ["mode"], ARM, CODE)
    assert of_code["sd"][0] == pytest.approx(0.03, rel=0.1)
    assert of_code["freedom"].tolist() == [10]
    assert history.between(rounds, ["mode"], ARM)["sd"][0] > 0.4


@pytest.mark.parametrize(("rounds", "replicates"), [(1, 4), (5, 2)])
def test_a_replicate_that_stands_alone_moves_no_estimate(rounds, replicates):
    """It takes nine times as long: the mean of the logs would be 1.2 or 1.7 times the truth."""
    rng = np.random.default_rng(4)
    rows = simulated(rng, 0.0, rounds, replicates)
    odd = (rows["round"] == 0) & (rows["replicate"] == 0) & (rows["implementation"] == 0)
    rows.loc[odd, "log"] += np.log(9)
    estimates = intervals(rows, ARM, "ratio", NOTHING)
    of_odd = estimates[estimates["implementation"] == 0]
    assert of_odd["ratio"].between(0.95, 1.05).all()


def of_benchmark(problem, sd, speed, rounds=5):
    """Rounds of two LSTMs with this standard deviation, which replicates explain nothing of."""
    steps = np.linspace(-1, 1, rounds)
    logs = sd * steps / steps.std(ddof=1)
    return [
        {"problem": problem, "implementation": name, "round": f"{speed}-{k}", "speed": speed,
         "speed_error": 0.0, "ratio": log, "ratio_explained": 0.0}
        for name in ("a", "b") for k, log in enumerate(logs)
    ]  # fmt: skip


@pytest.mark.parametrize(("replicates", "odd"), [(2, 9.0), (4, 1.5), (1, 1.0)])
def test_odd_replicates_and_single_ones_explain_nothing_that_lasts(replicates, odd):
    """One in a hundred takes that many times as long."""
    rng = np.random.default_rng(5)
    rows = simulated(rng, 0.03, 8, replicates)
    rows["log"] += np.log(odd) * (rng.random(len(rows)) < 0.01)
    rounds = of_rounds(rows)
    spread = 0.03 if replicates > 1 else np.hypot(0.03, WITHIN)
    assert history.between(rounds, ["mode"], ARM, CODE)["sd"][0] > 0.9 * spread


def test_two_rounds_alone_are_no_surer_than_they_say():
    """Without a record, a spread from one degree of freedom may be next to nothing by chance."""
    rng = np.random.default_rng(6)
    p = np.concatenate([intervals(simulated(rng, 0.03, 2), ARM, "ratio", NOTHING)["ratio_p"] for _ in range(5)])
    assert (p < 0.001).mean() <= 0.001


def test_a_benchmark_gets_what_its_own_rounds_have_or_the_nearest(tmp_path, monkeypatch):
    """Rounds are compared only with those of such a peak: here a peak of 110 moves every ratio by a third."""
    problems = ("t1-b1-i1-h1", "t1-b1-i1-h1-l2", "t2-b1-i1-h1", "p")
    names = ("base", "other")
    records = [record(name, r, 1e-3, problem=problem) for name in names for r in (0, 1) for problem in problems]
    run = save(tmp_path, [*records, record("base", 0, 1e-3, problem="other", mode="another")])
    rows = [*of_benchmark(problems[0], 0.02, 100.0), *of_benchmark(problems[2], 0.04, 101.0)]
    faster = [row | {"ratio": row["ratio"] + 0.3} for row in of_benchmark(problems[0], 0.02, 110.0)]
    machine = history.machine_label(run.metadata)
    on_record = pd.DataFrame(rows + faster).assign(machine=machine, workload="w", mode="m", device="cpu")
    monkeypatch.setattr(history, "read", lambda: on_record.assign(digest="d", versions="v"))
    lasting = history.lasting(run, "ratio").set_index("problem")["sd"]
    assert lasting[problems[0]] == pytest.approx(0.02)  # its own
    assert lasting[problems[1]] == pytest.approx(0.02)  # of the same sizes
    assert lasting[problems[2]] == pytest.approx(0.04)
    of_all = pytest.approx(np.sqrt((2 * 0.02**2 + 0.04**2) / 3))
    assert lasting["p"] == of_all
    assert lasting["other"] == of_all
    monkeypatch.setattr(history, "machine_label", lambda _: "another")
    assert history.lasting(run, "ratio").empty


def test_rounds_that_name_no_python_are_compared_with_those_of_the_python_that_they_had(tmp_path, monkeypatch):
    versions = ["jax 0.10.2", "jax 0.10.2, Python 3.11.7", "Python 3.13.5"]
    pd.DataFrame({"versions": versions}).to_parquet(tmp_path / "rounds.parquet")
    monkeypatch.setattr(history, "FILE", tmp_path / "rounds.parquet")
    assert history.read.__wrapped__()["versions"].tolist() == [versions[1], *versions[1:]]


def test_rounds_of_one_state_have_such_a_peak(tmp_path, monkeypatch):
    """A state goes on until there is a gap, so its ends may be far apart."""
    run = save(tmp_path, SMALL)
    machine = history.machine_label(run.metadata)
    on_record = pd.DataFrame({"round": ["a", "b", "c", "d"], "speed": [100.0, 101.5, 103.0, 110.0], "machine": machine})
    on_record["speed_error"] = np.nan
    monkeypatch.setattr(history, "read", lambda: on_record)
    alike = {}
    for speed in (99.0, 104.0, 106.5, 110.0, np.nan):
        monkeypatch.setattr(history.peak, "speed", lambda _, speed=speed: speed)
        alike[speed] = history.has_peak_of(run, ["a"])
    assert [*alike.values()] == [True, True, False, False, True]
    assert history.has_peak_of(run, ["not on record"])


@pytest.mark.parametrize(("error", "alike"), [(0.005, False), (0.02, True)])
def test_peaks_that_replicates_cannot_tell_apart_are_of_one_state(error, alike, tmp_path, monkeypatch):
    """Two peaks, 4 % apart, each with that standard error."""
    rows = [record("peak", k, 1e-3 * (1 + error * (-1) ** k), track="peak", threads=2) for k in range(4)]
    run = save(tmp_path, [*SMALL, *rows])
    assert history.peak.speed_error(run.records) == pytest.approx(error / 3**0.5, rel=0.01)
    speed = history.peak.speed(run.records)
    speeds, errors = pd.Series([speed, 1.04 * speed]), pd.Series([error, error])
    assert (len({*history.states(speeds, errors)}) == 1) == alike
    on_record = pd.DataFrame({"round": ["a", "b"], "speed": speeds, "speed_error": errors})[1:]
    on_record["machine"] = history.machine_label(run.metadata)
    monkeypatch.setattr(history, "read", lambda: on_record)
    assert history.has_peak_of(run, ["b"]) == alike


def left_out(rounds, group):
    """Return the rows of each round that others of the same code hold or not, with half the width of their interval.

    Each round is left out once, and what lasts is known from the other rounds with such a peak.
    """
    inside = []
    for number in rounds["round"].unique():
        this = rounds[rounds["round"] == number]
        alike = rounds["state"] == this["state"].iloc[0]
        rest = rounds[alike & (rounds["round"] != number)]
        lasting = history.between(rest, group, ARM, CODE)
        if lasting.empty or lasting["freedom"][0] < history.LEAST_FREEDOM:
            continue
        means = rest.groupby([*ARM, *CODE]).agg(mean=("value", "median"), n=("value", "size"))
        rows = means.merge(this, on=[*ARM, *CODE])
        sd = np.full(len(rows), np.sqrt(rest["explained"].median()))
        of_replicates = Means(rows["mean"].to_numpy(), sd, np.full(len(rows), 30.0), effective(rows["n"].to_numpy()))
        low, high = t_interval(one_more(mean_of_rounds(of_replicates, lasting["sd"][0], lasting["freedom"][0])))
        holds = (low <= rows["value"]) & (rows["value"] <= high)
        inside.append(rows[[*ARM, "round"]].assign(holds=holds, half=(high - low) / 2))
    return pd.concat(inside) if inside else pd.DataFrame(columns=["round", "holds", "half"])


@pytest.mark.nightly
@pytest.mark.parametrize("what", ["ratio", "time"])
def test_rounds_on_record_hold_each_other(what):
    for machine in history.read()["machine"].unique():
        rows = history.of_machine(machine).rename(columns={what: "value", f"{what}_explained": "explained"})
        rows = rows.dropna(subset=["value", "explained"])
        groups = [left_out(each, BENCHMARK) for _, each in rows.groupby(BENCHMARK)]
        every = pd.concat(groups)
        if len(every) < 100:
            continue
        cells = every.groupby(BENCHMARK).agg(
            rounds=("round", "nunique"), holds=("holds", "mean"), half=("half", "median")
        )
        of_round = every.groupby("round")["holds"].mean().round(2)
        print(f"{machine}, {what}\n{cells.round(3).to_string()}\n{of_round.to_string()}")
        assert every["holds"].mean() >= 0.92, machine
