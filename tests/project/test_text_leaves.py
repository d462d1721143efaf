"""Text reaches a terminal only by the functions that clean it."""

import ast

from tests.helpers.processes import ROOT

FILES = sorted(path for room in ("impls/core", "benchmarks", "reports") for path in (ROOT / room).rglob("*.py"))
FILES.append(ROOT / "impls" / "__main__.py")
CLEAN = {
    "impls/core/command_line.py": "the function itself",
    "benchmarks/terminal.py": "the console itself",
    "impls/__main__.py": "_print_table cleans each cell",
    "benchmarks/progress.py": "advance cleans what is being done",
    "impls/core/evaluate.py": "says that it was interrupted",
    "impls/core/rates.py": "prints names of libraries and shapes of its own",
    "reports/published/calibration-family-25-model-1/compare_with_other_tools.py": "prints figures",
    "benchmarks/calibration/command.py": "prints its Markdown, whose text is cleaned",
}
"""The files that write in another way, with the reason why nothing from outside gets through."""


def ways_out(source):
    """Return the calls of a file that write to a terminal: print, click's echo, the streams, Rich's own Console."""
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [c for c in calls if c in ("print", "click.echo", "Console", "sys.stdout.write", "sys.stderr.write")]


def test_no_other_way_leads_to_the_terminal():
    ways = {path.relative_to(ROOT).as_posix(): ways_out(path.read_text(encoding="utf-8")) for path in FILES}
    assert {name: found for name, found in ways.items() if found and name not in CLEAN} == {}


def test_a_way_out_is_seen():
    """The negative control."""
    assert sorted(ways_out("def f():\n    if x: print(name)\nclick.echo(a)")) == ["click.echo", "print"]
    assert ways_out("console.print(name)\nfrom rich.console import Console\nConsole().print(x)") == ["Console"]
