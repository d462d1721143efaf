"""Finding and loading implementations, without importing a framework."""

import copy
import re
import sys

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import cli
from benchmarks.cases import TRAINED_BY
from impls.core import environments, registry
from tests.helpers import processes
from tests.helpers.processes import ROOT

GOOD = 'FRAMEWORK = "torch"\nTRACK = "default"\ndef prepare(problem, weights, device, workload): ...\n'


CPU, BOTH, GPU = ("cpu",), ("cpu", "cuda"), ("cuda",)
TWO, FOUR = ("float32", "float64"), ("float32", "float64", "bfloat16", "float16")
ALL, NO_MODEL, KEPT = ("cell", "sequence", "model"), ("cell", "sequence"), ("stream",)

PROMISED = {
    "flax_linen": (BOTH, FOUR, ALL, "lbd"),
    "torch_lstm_native": (BOTH, (*FOUR, "autocast"), ALL, "lpbdr"),
    "flax_nnx": (BOTH, (*FOUR, "autocast"), ALL + KEPT, "lbd"),
    "jax_scan": (BOTH, (*FOUR, "autocast"), ALL + KEPT, "lpbdr"),
    "jax_scan_hoisted": (BOTH, (*FOUR, "autocast"), ALL, "lpbdr"),
    "torch_lstm": (BOTH, (*FOUR, "autocast", "int8"), ALL + KEPT, "lpbdr"),
    "torch_cell": (BOTH, (*FOUR, "autocast"), ALL + KEPT, "lbdr"),
    "torch_lstmcell": (BOTH, FOUR, ALL + KEPT, "lbdr"),
    "jax_scan_vjp": (BOTH, FOUR, ALL, "bd"),
    "torch_cell_autograd torch_cell_compiled torch_cell_hoisted": (BOTH, FOUR, ALL, ""),
    "torch_scan torch_script": (BOTH, FOUR, ALL, ""),
    "flashrnn_vanilla": (CPU, FOUR, ALL, ""),
    "flashrnn_vanilla_fwbw": (CPU, ("float32", "bfloat16", "float16"), ALL, ""),
    "torchrl_lstm": (BOTH, FOUR, ALL, "bdr"),
    "torch_lstm_compiled": (BOTH, (*FOUR, "autocast"), NO_MODEL + KEPT, "pbr"),
    "torch_lstm_dynamic": (BOTH, (*FOUR, "autocast"), NO_MODEL, "pbr"),
    "equinox_lstm": (CPU, FOUR, ALL, "lbdr"),
    "keras_jax keras_torch": (CPU, FOUR, ALL, "lb"),
    "haiku_lstm": (CPU, FOUR, ALL, "bd"),
    "jax_scan_vjp_sharded": (CPU, FOUR, ALL, ""),
    "keras_tensorflow": (CPU, FOUR, NO_MODEL, "lb"),
    "jax_ffi": (CPU, FOUR, ALL + KEPT, "lpbdr"),
    "torch_cpp": (CPU, (*FOUR, "autocast"), ALL + KEPT, "lpbdr"),
    "numpy_lstm": (CPU, TWO, NO_MODEL + KEPT, "l"),
    "paddle_lstm": (CPU, TWO, NO_MODEL, "l"),
    "tinygrad_lstm": (CPU, TWO, NO_MODEL, ""),
    "onnxruntime_lstm openvino_lstm": (CPU, ("float32",), ALL, "l"),
    "mlx_lstm": (CPU, ("float32",), NO_MODEL, ""),
    "jax_cudnn": (GPU, ("float32",), ALL, ""),
    "torch_cell_graphed": (GPU, TWO, NO_MODEL, ""),
    "torch_triton": (GPU, ("float32", "bfloat16", "float16"), ALL, ""),
}
"""Names that published runs and commands of users hold, with devices, dtypes, workloads, first letters of variants.

By hand: tests go over the constants of these files, so one that loses a constant would lose its tests. A new one joins
them once it is published.
"""
APART = {
    *("equinox_lstm", "haiku_lstm", "keras_jax", "keras_tensorflow", "keras_torch", "mlx_lstm", "onnxruntime_lstm"),
    *("openvino_lstm", "paddle_lstm", "tinygrad_lstm", "torchrl_lstm", "flashrnn_vanilla", "flashrnn_vanilla_fwbw"),
}
"""Those that run in an environment of their own."""


def test_each_file_of_impls_is_an_implementation_and_can_do_what_was_promised():
    known = registry.catalogue()
    files = {path.stem for path in (ROOT / "impls").glob("*.py")} - {"__init__", "__main__", "api"}
    assert set(known) == files | {"peak", "reference"}
    for names, promised in PROMISED.items():
        for found in map(known.__getitem__, names.split()):
            workloads = tuple(each for each in found.workloads if each != "train")
            assert (found.devices, found.dtypes, workloads, "".join(name[0] for name in found.variants)) == promised
            assert ("train" in found.workloads) == (found.name in TRAINED_BY)
            assert bool(found.requires) == (found.name in APART)


def test_a_file_called_copy_is_loaded_and_shadows_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "copy.py").write_text(GOOD + "MARK = 1\n")
    assert registry.load(registry.resolve(str(tmp_path / "copy.py"))).MARK == 1
    assert not hasattr(copy, "MARK")


@pytest.mark.parametrize("name", ["numpy_lstm (copy)", "my-lstm", "numpy_lstm.old", "a@b"])
def test_a_file_of_impls_may_have_any_name(name, tmp_path, monkeypatch):
    """A file manager's copy, for one. Otherwise no run that takes a set could begin."""
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    monkeypatch.setattr(registry.impls, "__path__", [str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{name}.py").write_text(GOOD + "MARK = 1\n")
    (found,) = registry.catalogue(tmp_path).values()
    assert found.own
    assert registry.resolve(found.text) == found
    assert registry.load(found).MARK == 1
    if "@" not in name:
        assert registry.resolve(name) == found


@pytest.mark.parametrize(
    ("text", "name", "requires"),
    [
        ("jax_scan@jax==0.8.*", "jax_scan@jax==0.8.*", ("jax", "jax==0.8.*")),
        ("flax_nnx@jax>=0.8,<0.9,flax", "flax_nnx@jax>=0.8,<0.9,flax", ("flax", "jax>=0.8,<0.9", "flax")),
        ("jax_cudnn@jax[cuda13,k8s]~=0.9", "jax_cudnn@jax[cuda13,k8s]~=0.9", ("jax", "jax[cuda13,k8s]~=0.9")),
        ("keras_jax@keras==3.12.1", "keras_jax@keras==3.12.1", ("keras>=3.12", "jax>=0.8", "keras==3.12.1")),
        ("HERE/a@b.py@torch==2.9.*", "a@b@torch==2.9.*", ("torch", "torch==2.9.*")),
        ("HERE/a@b.py", "a@b", ()),
    ],
)
def test_a_release_is_the_same_file_with_more_requirements(text, name, requires, tmp_path):
    """And what a run keeps of it, which --resume reads, finds it again."""
    (tmp_path / "a@b.py").write_text(GOOD)
    found = registry.resolve(text.replace("HERE", str(tmp_path)))
    assert (found.name, found.requires) == (name, requires)
    assert registry.resolve(found.text) == found


@pytest.mark.parametrize(
    "asked",
    ["", "-r x", "--index-url=http://h", "torch @ http://h/t.whl", "http://h/t.whl", "./t", "torch;id", "torch==$(id)",
     "torch===../x", "torch==2\n", "torch,--pre", "torch==2,"],
)  # fmt: skip
def test_a_requirement_that_is_more_than_a_package_and_its_version_is_refused(asked):
    with pytest.raises(ValueError, match="no package"):
        registry.resolve(f"torch_lstm@{asked}")
    with pytest.raises(ValueError, match="only"):
        registry.resolve("peak@numpy")


def test_a_strange_name_gets_the_list():
    with pytest.raises(ValueError, match=r"known: .*torch_lstm"):
        registry.resolve("xyz")


@pytest.mark.parametrize("line", ['FRAMEWORK="torch"', 'FRAMEWORK: str = "torch"'])
def test_every_file_that_assigns_framework_is_found(line, tmp_path):
    (tmp_path / "mine.py").write_text(f'{line}\nTRACK: str = "tuned"\nprepare = print\n')
    (tmp_path / "helper.py").write_text("# FRAMEWORK = none\nHERE = 'FRAMEWORK = 1'\n")
    (mine,) = registry.catalogue(tmp_path).values()
    assert (mine.name, mine.framework, mine.track) == ("mine", "torch", "tuned")
    assert set(registry.shared_files(tmp_path)) == {"helper.py"}


def test_one_file_that_can_not_be_read_does_not_hide_the_others(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text('FRAMEWORK = "torch"\ndef (\n')
    implementations, broken = registry.survey(tmp_path)
    assert list(implementations) == ["good"]
    assert "line 2: not valid Python" in broken["bad"]
    with pytest.raises(ValueError, match="not valid Python"):
        registry.catalogue(tmp_path)
    monkeypatch.setattr(registry, "survey", lambda: (implementations, broken))
    listed = CliRunner().invoke(cli, ["list"], standalone_mode=False)
    assert listed.return_value == 1
    assert "good" in listed.stdout
    assert "bad.py, line 2" in listed.stderr


def test_the_digest_is_also_of_what_a_file_imports(tmp_path):
    """Otherwise an old figure of torch_cpp would count as one of today's code after its C++ has changed."""
    for folder in ("families", "native"):
        (tmp_path / folder).mkdir()
    for name, imported in (("families/torch", "from impls.native.module import LSTM"), ("families/jax", "")):
        (tmp_path / f"{name}.py").write_text(imported)
    for name in ("torch", "jax"):
        (tmp_path / f"{name}_lstm.py").write_text(f"from impls.families.{name} import x\n{GOOD}")

    def changed(file):
        before = registry.survey(tmp_path)[0]
        (tmp_path / file).write_text("# changed")
        after = registry.survey(tmp_path)[0]
        return [name for name in before if before[name].digest != after[name].digest]

    def digest_with(line):
        (tmp_path / "jax_lstm.py").write_text(f"{line}from impls.families.jax import x\n{GOOD}")
        return registry.read(tmp_path / "jax_lstm.py").digest

    assert digest_with("COMPILE_MINUTES = 10\n") == digest_with("COMPILE_MINUTES = 2  # or so\n") == digest_with("")
    assert digest_with("COMPILE_MINUTES = 10; x = 1\n") != digest_with("x = 1\n") != digest_with("")
    assert changed("native/lstm.h") == ["torch_lstm"]
    assert changed("native/README.md") == []
    assert changed("families/jax.py") == ["jax_lstm"]
    assert changed("families/keras.py") == []


def test_the_list_says_what_each_is():
    lines = CliRunner().invoke(cli, ["list"], standalone_mode=False).stdout.splitlines()
    assert "torch.nn.LSTMCell in a Python loop over time steps." in "\n".join(lines)
    cells = {line.split()[0]: re.split("  +", line) for line in lines}
    assert cells["torch_lstm"][3] == "by default"
    assert {cells[name][3] for name in ("torch_script", "keras_jax")} == {"if named"}
    assert ["lengths" in cells[name][cells["name"].index("variants")] for name in ("torch_lstm", "torch_script")] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("track", "name"), [("peak", "mine"), ("reference", "mine"), ("tuned", "peak")])
def test_a_file_from_elsewhere_can_not_say_that_it_need_not_agree(track, name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.write_text(GOOD.replace("default", track))
    with pytest.raises(ValueError, match="this suite's own"):
        registry.resolve(str(path))
    assert not registry.read(path).is_peak
    assert registry.resolve("peak").is_peak


def test_the_environment_of_a_file_is_read_without_running_it(tmp_path):
    (tmp_path / "own.py").write_text(
        GOOD
        + 'REQUIRES = ("keras>=3.12", "jax>=0.8; python_version > \'3.10\'")\n'
        + 'ENVIRONMENT = {"KERAS_BACKEND": "jax", "_N2": ""}\n'
        + 'raise RuntimeError("this file was run")\n'
    )
    own, plain = registry.resolve(str(tmp_path / "own.py")), registry.resolve("torch_lstm")
    assert own.requires == ("keras>=3.12", "jax>=0.8; python_version > '3.10'")
    assert environments.distributions(own) == ("torch", "keras", "jax", "jaxlib")
    assert own.environment == {"KERAS_BACKEND": "jax", "_N2": ""}
    assert (plain.requires, plain.environment, plain.by_default, own.by_default) == ((), {}, True, False)


SHADOWED = """
import sys
from impls.core import registry
module = registry.load(registry.resolve(sys.argv[1]))
import json, shelve
print(json.__file__, shelve.__file__, module.json is json)
"""


@pytest.mark.process
def test_a_file_imports_what_stands_beside_it_and_that_shadows_nothing(tmp_path):
    """In a process of its own: json and shelve are imported only after the folder came onto the path."""
    (tmp_path / "beside_it.py").write_text("")
    for name in ("json", "shelve", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    (tmp_path / "mine.py").write_text("import json, numpy, beside_it\n" + GOOD)
    done = processes.python("-c", SHADOWED, tmp_path / "mine.py")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stdout
    assert done.stdout.split()[-1] == "True"


BAD = {
    "no prepare": ('FRAMEWORK = "t"\nTRACK = "default"\n', "defines no prepare"),
    "no framework": ('TRACK = "default"\ndef prepare(): ...\n', "FRAMEWORK"),
    "empty framework": (GOOD.replace("torch", ""), "FRAMEWORK"),
    "unknown track": ('FRAMEWORK = "t"\nTRACK = "best"\ndef prepare(): ...\n', "TRACK"),
    "unknown device": (GOOD + 'DEVICES = ("tpu",)\n', "DEVICES"),
    "no dtypes": (GOOD + "DTYPES = ()\n", "DTYPES"),
    "computed constant": (GOOD + "DTYPES = tuple(x)\n", "not a plain literal"),
    "requirements in one string": (GOOD + 'REQUIRES = "keras"\n', "REQUIRES"),
    "option of pip after a blank": (GOOD + "REQUIRES = ('keras', '\\t--pre')\n", "REQUIRES"),
    "variable with an equals sign": (GOOD + "ENVIRONMENT = {'A=B': 'c'}\n", "ENVIRONMENT"),
    "half a character": (GOOD + "ENVIRONMENT = {'A': '\\ud800'}\n", "not a plain literal"),
    "no text": (GOOD + "ENVIRONMENT = {'A': 'b\\x00'}\n", "it holds a NUL"),
    "limit that is a number": (GOOD + "LIMITS = {'x-huge': 1}\n", "LIMITS"),
    "a long sum": (GOOD + f"x = {'+'.join(['1'] * 100_000)}\n", "too long for Python"),
    "syntax": ("def prepare(:\n", "line 1: not valid Python"),
}


SETS = {
    "adds to": 'DEVICES += ("cuda",)',
    "in a branch": 'if print:\n    DEVICES = ("cpu",)',
    "with others": 'DEVICES, MINE = ("cpu",), 1',
    "by two names": 'MINE = DEVICES = ("cpu",)',
    "imports": "from elsewhere import MINE as DEVICES",
    "defines": "def DEVICES(): ...",
}


@pytest.mark.parametrize("name", SETS)
def test_a_constant_that_is_set_in_any_other_way_is_refused(name, tmp_path):
    """Python would see it, and what reads the file without running it would not."""
    path = tmp_path / "mine.py"
    path.write_text(f"{GOOD}{SETS[name]}\n")
    with pytest.raises(ValueError, match=r"mine\.py: .* plain literal \(DEVICES is set in another way"):
        registry.read(path)
    path.write_text(f"{GOOD}def mine():\n    DEVICES = 1\nDEVICES: tuple\n")
    assert registry.read(path).devices == ("cpu", "cuda")


@pytest.mark.parametrize(
    "line",
    ["prepare: Prepare = of_module(Mine)", "try: prepare = fast\nexcept NameError: prepare = slow",
     "from mine import prepare", "if print:\n    def prepare(*_): ..."],
)  # fmt: skip
def test_prepare_is_whatever_python_finds(line, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f'FRAMEWORK = "t"\nTRACK = "default"\n{line}\n')
    assert registry.read(path).name == "mine"
    path.write_text('FRAMEWORK = "t"\nTRACK = "default"\nprepare: Prepare\n')
    with pytest.raises(ValueError, match="defines no prepare"):
        registry.read(path)


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_implementation_is_refused_in_one_line(name, tmp_path):
    content, message = BAD[name]
    path = tmp_path / "mine.py"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        registry.read(path)
    assert "\n" not in str(caught.value)


def test_a_link_goes_by_the_name_of_its_file(tmp_path):
    (tmp_path / "mylink.py").symlink_to(registry.FOLDER / "torch_lstm.py")
    assert registry.resolve(str(tmp_path / "mylink.py")) == registry.resolve("torch_lstm")


def test_what_is_no_file_of_python_is_never_waited_for(tmp_path):
    (tmp_path / "it.py").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="not a regular file"):
        registry.read(tmp_path / "it.py")
    assert registry.survey(tmp_path) == ({}, {})
