"""A dataset of runs: writers, conditions, old files, and a real server of S3."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.record import read_records
from reports import frames
from reports.dataset import Dataset, NoDataset, is_dataset
from reports.summary import summarise
from tests.helpers.records import DATA, ENVIRONMENT, failed, record, write
from tests.helpers.records import QUICK as PUBLISHED_QUICK
from tests.helpers.slurm import free_port, until

PUBLISHED_CPU = "Intel(R) Xeon(R) Processor"
"""That of PUBLISHED_QUICK."""
QUICK = {"problem": "t4-b2-i8-h8", "workload": "sequence", "mode": "forward"}


def made(folder, number, cpu="AMD EPYC", ratio=1.5, month=11, **changes):
    """A run's folder: its id, its machine, and two implementations."""
    run_id = f"2026{month:02}{number + 1:02}T000000-{number:08x}"
    rng = np.random.default_rng(number)
    rows = [
        record(name, replicate, 1e-3 * mean * float(np.exp(rng.normal(0, 0.01))), run_id=run_id, **QUICK)
        for name, mean in (("base", 1.0), ("other", ratio))
        for replicate in range(4)
    ]
    for k, row in enumerate(rows):
        for turn in row["turns"]:
            turn["started"] = 1e6 * number + k
    rows += changes.get("more", [])
    folder.mkdir(parents=True)
    write(folder / "results.parquet", rows)
    known = {**ENVIRONMENT, "machine": {**ENVIRONMENT["machine"], "cpu": cpu}}
    known["run"] = {**ENVIRONMENT["run"], "run_id": run_id}
    (folder / "environment.json").write_text(json.dumps(known))
    return folder


@pytest.fixture
def filled(tmp_path):
    """A dataset of six runs on two machines, in two months."""
    data = Dataset(tmp_path / "data")
    for k in range(6):
        cpu = "AMD EPYC" if k % 2 else PUBLISHED_CPU
        data.put(made(tmp_path / f"run-{k}", k, cpu, 1 + k / 10, 10 + k // 3))
    return data


def ratios(data, where=""):
    found = data.summary(where)
    return found[found["implementation"] == "other"].set_index("run_id")["ratio"].sort_index()


def test_runs_are_found_by_their_machine_and_date(filled):
    assert len(filled.runs()) == 6
    assert list(filled.runs("machine_label LIKE 'AMD%'")["run_id"].str[:8]) == ["20261106", "20261104", "20261002"]
    assert len(filled.runs("date >= '2026-11-01'")) == 3
    assert len(filled.runs("month = '2026-10' AND machine LIKE 'intel%'")) == 2
    assert len(filled.runs("list_contains(implementations, 'other')")) == 6
    assert len(filled.runs("list_contains(implementations, 'nobody')")) == 0


def test_the_summary_is_the_reports_own(filled, tmp_path):
    for k in range(6):
        run = frames.read_run(tmp_path / f"run-{k}")
        want = summarise(run).set_index("implementation")["ratio"]
        found = filled.summary(f"run_id = '{run.run_id}'").set_index("implementation")
        assert found.loc["other", "ratio"] == pytest.approx(want["other"], rel=1e-12)
        assert found.loc["base", "ratio"] == 1
        assert set(found["replicates"]) == {4}


def test_an_arm_that_failed_once_has_no_ratio(tmp_path):
    data = Dataset(tmp_path / "data")
    more = [failed("other", 4, "error", "broken", run_id="20261101T000000-00000000", **QUICK)]
    data.put(made(tmp_path / "run", 0, more=more))
    assert list(data.summary()["implementation"]) == ["base"]


def test_the_same_run_twice_is_there_once_whoever_writes(tmp_path):
    run = made(tmp_path / "run", 0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: Dataset(tmp_path / "data").put(run), range(16)))
    assert len(ids) == 1
    assert len(Dataset(tmp_path / "data").runs()) == 1
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(files) == 1, files


def test_a_run_that_is_added_again_is_replaced(filled, tmp_path):
    before = ratios(filled)
    filled.put(made(tmp_path / "again" / "run", 0, PUBLISHED_CPU, 1.7, 10))
    after = ratios(filled)
    assert after.index.equals(before.index)
    assert after.iloc[0] == pytest.approx(1.7, rel=0.05)
    pd.testing.assert_series_equal(after.iloc[1:], before.iloc[1:])


def test_a_folder_that_cannot_be_listed_is_an_error_and_no_month_less(filled, monkeypatch):
    listing = os.scandir

    def scandir(path):
        if str(path).endswith("month=2026-10"):
            raise PermissionError(13, "not for you", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="not for you"):
        filled.runs()


def test_a_file_that_is_being_written_is_not_read(filled, tmp_path):
    (path, *_) = (tmp_path / "data").rglob("*.parquet")
    before = filled.runs()
    shutil.copyfile(path, path.with_name(".arriving-0123456789abcdef.parquet"))
    pd.testing.assert_frame_equal(filled.runs(), before)


def test_fetched_runs_read_as_before(filled, tmp_path):
    chosen = filled.runs("machine_label LIKE 'AMD%'")
    for run, number in zip(filled.fetch(chosen, tmp_path / "fetched"), (5, 3, 1), strict=True):
        want = frames.read_run(tmp_path / f"run-{number}")
        pd.testing.assert_frame_equal(summarise(run), summarise(want))
        assert run.metadata == want.metadata
        assert read_records(run.folder / "results.parquet") == read_records(want.folder / "results.parquet")


def test_files_of_every_schema_version_pass_through(tmp_path):
    data = Dataset(tmp_path / "data")
    want = {}
    for path in sorted(DATA.glob("records-v*.parquet")):
        folder = tmp_path / path.stem
        folder.mkdir()
        run_id = f"{frames.read_run(path).run_id}-{path.stem}"
        pd.read_parquet(path).assign(run_id=run_id).to_parquet(folder / "results.parquet")
        known = {**ENVIRONMENT, "run": {**ENVIRONMENT["run"], "run_id": run_id, "baseline": "torch_lstm"}}
        (folder / "environment.json").write_text(json.dumps(known))
        data.put(folder)
        want[run_id] = summarise(frames.read_run(folder)).set_index("implementation").loc["jax_scan", "ratio"]
    found = data.summary()
    found = found[found["implementation"] == "jax_scan"].groupby("run_id")["ratio"].first().to_dict()
    assert found == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("folder", ["month=2020-01", "machine=x"])
def test_folders_above_the_dataset_mean_nothing(tmp_path, folder):
    data = Dataset(tmp_path / folder / "data")
    data.put(made(tmp_path / "run", 0, "AMD EPYC"))
    assert len(data.runs("month = '2026-11' AND machine LIKE 'amd-epyc%' AND date > '2026-01-01'")) == 1


def test_an_id_that_no_file_can_have_is_shortened(tmp_path):
    data = Dataset(tmp_path / "data")
    odd = "20261101T000000-../" + "x" * 300
    folder = made(tmp_path / "run", 0)
    write(folder / "results.parquet", [{**record("base", r, 1e-3, **QUICK), "run_id": odd} for r in range(4)])
    known = json.loads((folder / "environment.json").read_text())
    known["run"]["run_id"] = odd
    (folder / "environment.json").write_text(json.dumps(known))
    data.put(folder)
    (run,) = data.fetch(data.runs(), tmp_path / "fetched")
    assert run.run_id == odd
    assert run.folder.parent == tmp_path / "fetched"


def test_what_is_wrong_is_one_line(tmp_path, filled):
    for read in ("runs", "summary"):
        with pytest.raises(NoDataset, match="holds no dataset"):
            getattr(Dataset(tmp_path / "nowhere"), read)()
    for condition in ("no_such_column = 1", "no_such_function(1)", "(("):
        with pytest.raises(NoDataset, match=re.escape(f"the condition '{condition}'")) as caught:
            filled.runs(condition)
        assert "\n" not in str(caught.value)


def test_addresses_are_told_from_folders_of_runs(tmp_path, filled):
    assert is_dataset(filled.address)
    assert is_dataset("s3://bucket/x")
    assert not is_dataset(str(tmp_path / "run-0"))
    assert not is_dataset(str(tmp_path / "nowhere"))


@pytest.mark.process
def test_the_commands(filled, tmp_path, python):
    added = python("reports", "publish", PUBLISHED_QUICK, filled.address)
    assert added.returncode == 0, added.stderr
    out = tmp_path / "summary.csv"
    done = python("reports", "summary", filled.address, "--where", "date < '2026-11-20'", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "12 ratios of 6 runs" in done.stdout
    assert list(pd.read_csv(out).columns[:2]) == ["run_id", "problem"]
    assert len(pd.read_csv(out)) == 12
    odd = python("reports", "summary", "data://x", "--out", out)
    assert odd.returncode == 2
    assert "Traceback" not in odd.stderr
    built = python(
        "reports", "report", filled.address, "--where", "machine_label LIKE 'Intel%'", "--out", tmp_path / "page"
    )
    assert built.returncode == 0, built.stderr
    assert PUBLISHED_CPU in (tmp_path / "page" / "index.html").read_text()
    site = tmp_path / "site"
    done = python("reports", "site", "--published", filled.address, "--where", "month = '2026-10'", "--out", site)
    assert done.returncode == 0, done.stderr
    page = (site / "index.html").read_text()
    assert all(cpu in page for cpu in (PUBLISHED_CPU, "AMD EPYC"))
    assert "2026-10-03" in page
    assert "2026-11-04" not in page
    assert python("reports", "site", "--published", tmp_path / "run-0", "--where", "x").returncode == 2
    wrong = python("reports", "report", filled.address, "--where", "nonsense")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert python("reports", "report", tmp_path / "run-0", "--where", "x").returncode == 2


@pytest.mark.process
def test_a_server_of_s3_from_end_to_end(tmp_path, monkeypatch, python):
    port = free_port()
    variables = {
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        import botocore.session

        client = botocore.session.get_session().create_client("s3", endpoint_url=variables["AWS_ENDPOINT_URL"])

        def made_bucket():
            try:
                client.create_bucket(Bucket="lstm")
            except Exception:
                return False
            return True

        until(made_bucket, "the server of S3")
        address = "s3://lstm/runs-of-years"
        data = Dataset(address)
        for k in range(3):
            data.put(made(tmp_path / f"run-{k}", k, PUBLISHED_CPU, 1 + k / 10))
        data.put(tmp_path / "run-0")
        before = ratios(data)
        assert len(before) == 3
        assert [run.run_id for run in data.fetch(data.runs("date > '2026-11-02'"), tmp_path / "fetched")]
        for command, said in (
            (("publish", PUBLISHED_QUICK, address), ""),
            (("report", address, "--where", "date < '2026-11-03'", "--out", tmp_path / "page"), ""),
        ):
            done = python("reports", *command, **variables)
            assert done.returncode == 0, done.stderr
            assert done.stdout.endswith(said)
        assert (tmp_path / "page" / "index.html").exists()
        nobody = {
            **variables,
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for wrong, known in (("s3://no-such-bucket/x", variables), (address, {**nobody, "HOME": str(tmp_path)})):
            done = python("reports", "summary", wrong, "--out", tmp_path / "wrong.parquet", **known)
            assert done.returncode == 2
            assert done.stderr.count("\n") == 1, done.stderr
        done = python(
            "reports",
            "summary",
            address,
            "--where",
            "date < '2026-11-20'",
            "--out",
            tmp_path / "s.parquet",
            **variables,
        )
        assert done.returncode == 0, done.stderr
        assert len(pd.read_parquet(tmp_path / "s.parquet")) == 6
        done = python("reports", "site", "--published", address, "--out", tmp_path / "site", **variables)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "site" / "data.json").exists()
    finally:
        server.terminate()
        server.wait(10)
