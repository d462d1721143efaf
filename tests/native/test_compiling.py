"""How the C++ is compiled."""

import pytest

from impls.core.contract import NotInstalled
from impls.families import compiled
from impls.native import compiling

pytestmark = pytest.mark.process


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small source, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "small.cpp"
    path.write_text('extern "C" int one() { return ONE; }\n')
    return path


def test_a_source_is_compiled_once_and_an_implementation_is_told_the_seconds_once(source):
    path = compiling.build(source, "-DONE=1")
    made, seconds = path.stat().st_mtime_ns, path.with_suffix(".seconds")
    before = compiled.seconds_before(source, "-DONE=1")
    assert before() == float(seconds.read_text()) > 0
    assert before() == 0
    assert compiling.library(source, "-DONE=1").one() == 1
    assert path.stat().st_mtime_ns == made
    assert sorted(path.parent.iterdir()) == [seconds, path]
    assert compiling.library(source, "-DONE=2").one() == 2
    seconds.unlink()
    assert compiling.build(source, "-DONE=1") == path
    assert float(seconds.read_text()) > 0  # compiled again, since they were not known


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("#include <no_such_header.h>\n", NotInstalled, "no_such_header"),
        ("int main( {}\n", RuntimeError, "small.cpp:1"),
    ],
)
def test_a_source_that_cannot_be_compiled_leaves_nothing(source, text, error, message):
    source.write_text(text)
    with pytest.raises(error, match=message):
        compiled.library(source)
    assert list(compiling.cache().iterdir()) == []


def test_the_compiler_may_be_a_command_with_arguments(source, monkeypatch):
    monkeypatch.setenv("CXX", "env LANG=C g++")
    assert compiling.compiler()[1:] == ["LANG=C", "g++"]
    assert compiling.build(source, "-DONE=1").exists()
