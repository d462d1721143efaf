"""Environments: built once, whole or not at all; listed and removed."""

import fcntl

from impls.core import environments


def test_an_environment_that_is_being_built_or_is_finished_is_not_swept(tmp_path):
    for name in ("building", "finished", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.lock").touch()
    (tmp_path / "finished" / "finished").touch()
    with (tmp_path / "building.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environments.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"building", "finished"}
