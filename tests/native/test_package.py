"""What `pip install ./impls/native` installs, used as documents show it."""

import shutil
import subprocess
import sys

import pytest

from tests.helpers.processes import ROOT

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python whose packages are this one's, and native_lstm installed from a copy of its folder."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "impls" / "native", folder / "native", ignore=shutil.ignore_patterns("__pycache__"))
    installed = folder / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed)]
    subprocess.run([*command, str(folder / "native")], check=True, capture_output=True, text=True)
    assert [path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")] == ["native_lstm"]

    def run(program):
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {program}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    return run


@pytest.mark.nightly  # what is installed is compiled anew
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("packed_lstm.py", "native_lstm: float32 on the CPU\n17 tensors agree"),
        ("packed_lstm_jax.py", "17 arrays agree"),
    ],
)
def test_a_program_of_the_documents_runs_with_it(python, file, said):
    done = python(f"import runpy; runpy.run_path({str(ROOT / 'docs' / file)!r}, run_name='__main__')")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)


def test_it_imports_no_framework_that_is_not_used(python):
    """Each is installed without the other."""
    for line, absent in (("import native_lstm.jax", "torch"), ("from native_lstm import LSTM", "jax")):
        done = python(f"sys.modules[{absent!r}] = None; {line}")
        assert done.returncode == 0, done.stderr
