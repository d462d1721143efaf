"""A dataset of runs: writers, conditions, old files, and a real server of S3."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
import sys

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks.record import read_records
from reports import frames
from reports.__main__ import cli
from reports.dataset import IN_FILE, Dataset, Description
from reports.summary import summarise
from tests.helpers.processes import wait_for
from tests.helpers.records import publishable, record, save
from tests.helpers.slurm import free_port

XEON = "Intel(R) Xeon(R) Processor"


def made(folder, number, cpu="AMD EPYC", ratio=1.5, month=11, end=""):
    """A run's folder, with two implementations."""
    run_id = f"2026{month:02}{number + 1:02}T000000-{number:08x}{end}"
    rows = [record(name, r, 1e-3 * s, run_id=run_id) for name, s in (("base", 1), ("other", ratio)) for r in (0, 1)]
    return save(folder, rows, run_id, cpu=cpu).folder


@pytest.fixture
def filled(tmp_path):
    """A dataset of four runs on two machines, in two months."""
    data = Dataset(tmp_path / "data")
    for k in range(4):
        data.put(made(tmp_path / f"run-{k}", k, "AMD EPYC" if k % 2 else XEON, 1 + k / 10, 10 + k // 2))
    return data


def test_runs_are_found_by_their_machine_and_date(filled):
    assert len(filled.runs()) == 4
    assert list(filled.runs("machine_label LIKE 'AMD%'")["run_id"].str[:8]) == ["20261104", "20261002"]
    assert len(filled.runs("date >= '2026-11-01'")) == 2
    assert len(filled.runs("month = '2026-10' AND machine LIKE 'intel%'")) == 1
    assert len(filled.runs("list_contains(implementations, 'other')")) == 4
    assert len(filled.runs("list_contains(implementations, 'nobody')")) == 0


def test_fetched_runs_read_as_before(filled, tmp_path):
    chosen = filled.runs("machine_label LIKE 'AMD%'")
    for folder, number in zip(filled.fetch(chosen, tmp_path / "fetched"), (3, 1), strict=True):
        run, want = frames.read_run(folder), frames.read_run(tmp_path / f"run-{number}")
        pd.testing.assert_frame_equal(summarise(run), summarise(want))
        assert run.metadata == want.metadata
        assert read_records(folder / "results.parquet") == read_records(want.folder / "results.parquet")


def test_the_same_run_twice_is_there_once_whoever_writes(tmp_path):
    run = made(tmp_path / "run", 0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: Dataset(tmp_path / "data").put(run), range(16)))
    assert len(ids) == len(Dataset(tmp_path / "data").runs()) == 1
    assert len([path for path in (tmp_path / "data").rglob("*") if path.is_file()]) == 1


def test_an_id_that_no_file_can_have_is_shortened(tmp_path):
    data = Dataset(tmp_path / "data")
    run_id = data.put(made(tmp_path / "run", 0, end="../" + "x" * 300))
    (folder,) = data.fetch(data.runs(), tmp_path / "fetched")
    assert frames.read_run(folder).run_id == run_id
    assert folder.parent == tmp_path / "fetched"


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
    shutil.copyfile(path, path.with_name(".arriving-0123456789abcdef.parquet"))
    assert len(filled.runs()) == 4


def call(*words, **how):
    return CliRunner().invoke(cli, [*map(str, words)], **how)


def test_the_commands_take_a_dataset(filled, tmp_path):
    assert call("publish", publishable(tmp_path / "run"), "--dataset", filled.address).exit_code == 0
    assert len(filled.runs()) == 5
    where = "date > '2026-11-04' AND date < '2026-11-05' OR run_id LIKE '20261104%'"
    assert call("report", filled.address, "--where", where, "--out", tmp_path / "page").exit_code == 0
    assert "AMD EPYC" in (tmp_path / "page" / "index.html").read_text()
    site = ("site", "--published", filled.address, "--where", where, "--out", tmp_path / "site")
    assert call(*site).exit_code == 0
    assert "2026-11-04" in (tmp_path / "site" / "index.html").read_text()


def test_what_is_damaged_is_said_and_the_rest_is_reported(filled, tmp_path):
    """Half a file, a pipe, and a description that is nested too deeply for a reader of JSON."""
    half, pipe, deep, _ = sorted((tmp_path / "data").rglob("*.parquet"))
    half.write_bytes(half.read_bytes()[:300])
    pipe.unlink()
    os.mkfifo(pipe)
    known = {IN_FILE: msgspec.json.encode(Description([], '{"x":' * 9999))}
    pq.write_table(pq.read_table(deep).replace_schema_metadata(known), deep)
    for words in (("report", filled.address, "--out"), ("site", "--published", filled.address, "--out")):
        done = call(*words, tmp_path / words[0], standalone_mode=False)
        assert done.return_value == 1, done.stderr
        said = done.stderr.splitlines()
        assert [path.name in line for path, line in zip((half, pipe, deep), said, strict=True)] == [True] * 3
        assert "20261104" in (tmp_path / words[0] / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "DATA", "--where", "no_such_column = 1"), "no_such_column = 1"),
        (("report", "DATA", "--where", "(("), "the condition '(('"),
        (("site", "--published", "file:///nowhere"), "holds no dataset"),
        (("report", "DATA", "--where", "month = 'none'"), "no run matches"),
        (("report", "DATA", "DATA"), "one dataset"),
        (("report", "RUN", "--where", "x"), "--where is for a dataset"),
        (("site", "--published", "RUN", "--where", "x"), "--where is for a dataset"),
        (("report", "data://x"), "data://x"),
    ],
)
def test_what_a_command_refuses_is_one_line(words, said, filled, tmp_path):
    places = {"DATA": filled.address, "RUN": tmp_path / "run-0"}
    done = call(*(places.get(word, word) for word in words))
    assert done.exit_code in (1, 2)
    assert isinstance(done.exception, SystemExit)
    assert said in done.stderr.splitlines()[-1]


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The address of a bucket on a server of S3."""
    import botocore.session

    port = free_port()
    known = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**known, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    client = botocore.session.get_session().create_client("s3", endpoint_url=f"http://127.0.0.1:{port}")

    def made_bucket():
        try:
            client.create_bucket(Bucket="lstm")
        except Exception:
            return False
        return True

    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(made_bucket)
        yield "s3://lstm/runs-of-years"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.nightly
def test_a_server_of_s3_from_end_to_end(bucket, tmp_path, python):
    data = Dataset(bucket)
    for folder in (made(tmp_path / "run-0", 0), made(tmp_path / "run-1", 1), tmp_path / "run-0"):
        data.put(folder)
    assert len(data.runs()) == 2
    for words in (
        ("publish", publishable(tmp_path / "run"), "--dataset", bucket),
        ("report", bucket, "--where", "date < '2026-11-03'", "--out", tmp_path / "page"),
        ("site", "--published", bucket, "--out", tmp_path / "site"),
    ):
        done = python("reports", *words)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "page" / "index.html").exists()
    assert (tmp_path / "site" / "summary.csv").exists()
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    for wrong, known in (("s3://no-such-bucket/x", {}), (bucket, {**nobody, "HOME": str(tmp_path)})):
        done = python("reports", "report", wrong, **known)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1, done.stderr
