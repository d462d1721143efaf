"""Text from outside reaches no reader as anything but text: one poisoned run goes through every writer."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from reports.__main__ import cli
from tests.helpers.poison import live
from tests.helpers.records import ENVIRONMENT, failed, record, write

STEERING = (
    "\x1b]0;title\x07\x1b[31m\x9b31m\x1b]8;;http://e.invalid\x1b\\\0\u202e\u2066\u200b\ufeff\u2028\x7f\ue000\U000e0041"
)
MARKDOWN = (
    "[x](javascript:alert(1)) ![i](http://e.invalid/i.png) @octocat #123 GH-7 o/r#1 a@e.invalid `c` **b** ~~d~~ |e|"
)
MARKUP = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> &lt; {{m/s}} $x$ :bomb: www.e.invalid </td> \\input{x} \"'"
)
POISON = f"{STEERING}{MARKDOWN} {MARKUP}"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1")
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}


def poisoned_run(folder):
    """Write a run all of whose words are poisoned."""
    names = {f"base{POISON}": "default", POISON: f"track{POISON}", **dict.fromkeys(FORMULAS, "tuned")}
    rows = []
    for replicate in (0, 1):
        for mode in ("forward", "train_step"):
            where = {"problem": f"p{POISON}", "workload": "sequence", "mode": mode, "device": f"cpu{POISON}"}
            for k, (name, track) in enumerate(names.items()):
                words = {"track": track, "versions": f"torch 2{POISON}", "error_tensor": POISON}
                row = record(name, replicate, 1e-3 * (k + 1) * (1 + replicate / 100), **where, **words)
                for turn in row["turns"]:
                    turn["started"] = 1e9 + len(rows) + turn["block"] + turn["position"] / 7
                rows.append(row)
            rows.append(failed(f"bad{POISON}", replicate, "error", f"why {POISON}\nerror: forged", **where))
    folder.mkdir()
    write(folder / "results.parquet", rows)
    run = {**ENVIRONMENT["run"], "baseline": f"base{POISON}", "implementations": [f"/{POISON}.py"], "weights": POISON}
    metadata = {
        "machine": {"cpu": f"cpu{POISON}", "system": POISON},
        "versions": {"python": POISON},
        "commit": {"id": POISON},
        "matmul_precision": POISON,
        "run": run,
    }
    (folder / "environment.json").write_text(json.dumps({**ENVIRONMENT, **metadata}))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What the command wrote and said of that run and of two files that can't be read."""
    folder = tmp_path_factory.mktemp("poisoned")
    poisoned_run(folder / "run")
    bad = STEERING.replace("/", "").replace("\0", "") + "[x](y)"
    (folder / f"{bad}.json").write_text("{")
    (folder / f"{bad}.parquet").write_text("{")
    paths = [folder / "run", folder / f"{bad}.json", folder / f"{bad}.parquet", folder / f"no{bad}"]
    done = CliRunner().invoke(cli, ["report", *map(str, paths), "--out", str(folder / "out")], standalone_mode=False)
    assert done.exception is None
    assert done.return_value == 1
    assert len(done.stderr.splitlines()) == 3
    made = [path for path in (folder / "out").rglob("*") if path.is_file()]
    texts = {path.name: path.read_text() for path in made if path.suffix != ".parquet"}
    assert {"table.md", "table.tex", "summary.csv", "index.html", "rows.html"} <= set(texts)
    return folder, texts | {"stdout": done.stdout, "stderr": done.stderr}


def test_no_control_or_format_character_leaves(written):
    assert live(POISON)  # the negative control
    assert {name: live(text) for name, text in written[1].items() if live(text)} == {}


def test_markdown_is_text(written):
    """Only what the tables are made of is left; nothing links or loads."""
    text = written[1]["table.md"]
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.tag for token in tokens} <= {"", "h1", "h2", "ul", "li", "p", *TABLE}
    assert {token.type for token in inline} <= {"text", "softbreak", "text_special"}
    shown = "".join(token.content for token in inline)
    assert MARKDOWN in shown
    assert MARKUP in shown


def test_html_is_text(written):
    for page in ("index.html", "rows.html"):
        text = written[1][page]
        assert not re.search(r"<script>alert|<img src=x|gt_unit", text)
        assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 3
    for name, text in written[1].items():
        if name.endswith(".svg"):
            ET.fromstring(text)
            assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,100}\.svg", name)


def test_csv_has_no_formula_and_latex_no_command(written):
    cells = re.split(r'[,\n]"?', written[1]["summary.csv"])
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") or re.match(r"-\D", cell)]
    assert "'=1+1" in cells
    assert "'@SUM(A1)" in cells
    lines = [line for line in written[1]["table.tex"].splitlines() if not line.startswith("%")]
    assert any(r"\textbackslash{}input" in line for line in lines)
    assert not any(r"\input" in line for line in lines)


def test_the_page_does_nothing_of_what_names_say(written, visit):
    for name in ("index.html", "rows.html"):
        page = visit(written[0] / "out" / name)
        assert MARKDOWN in page.inner_text("main")
        assert page.locator("[onclick], [onerror]").count() == 0
        assert page.locator("script").count() == 1
