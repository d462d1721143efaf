"""What is published: the site, whose every link holds, and which runs are good enough."""

import errno
import gzip
import html
import json
import re
from functools import cache
from urllib.parse import unquote, urldefrag

import pandas as pd
import pytest

from benchmarks.record import read_records
from reports import frames, run_folder
from reports.publishing import publication
from reports.site import documents
from tests.helpers.browser import violations
from tests.helpers.publishing import names, publish
from tests.helpers.records import SMALL, publishable, save


@cache
def attributes(path, names):
    """The values of some attributes in a page."""
    return [html.unescape(value) for value in re.findall(rf'\s(?:{names})="([^"]+)"', path.read_text())]


def broken(site):
    """Every link of every page that leads nowhere in the site, or to a heading that is not there."""
    links = []
    for page in sorted(site.rglob("*.html")):
        for link in attributes(page, "href|src"):
            if not link.startswith(("https://", "data:")):
                address, anchor = urldefrag(link)
                target = (page.parent / unquote(address)).resolve() if address else page
                lost = anchor and target.suffix == ".html" and unquote(anchor) not in attributes(target, "id")
                if lost or not target.is_file():
                    links.append((page.relative_to(site).as_posix(), link))
    return links


def test_every_link_of_a_site_leads_somewhere(small_site):
    assert len(list(small_site.rglob("*.html"))) > 10
    assert broken(small_site) == []


@pytest.mark.texts
@pytest.mark.timeout(900)  # builds the site of all published runs
def test_every_link_of_the_published_site_leads_somewhere(site):
    assert broken(site) == []
    home = (site / "index.html").read_bytes()
    assert len(home) <= 1_000_000
    assert len(gzip.compress(home)) <= 100_000


def test_a_broken_link_is_found(tmp_path):
    """The negative control."""
    (tmp_path / "there.html").write_text(
        '<a id="here" href="missing.html"></a><a href="#gone"></a><a href="#here"></a>'
    )
    assert broken(tmp_path) == [("there.html", "missing.html"), ("there.html", "#gone")]


def test_every_run_has_its_own_page_and_is_told_apart_on_the_first(small_site):
    home = (small_site / "index.html").read_text()
    for name in "ab":
        page = (small_site / "runs" / name / "index.html").read_text()
        (line,) = [line for line in page.splitlines() if line.startswith("<p>Cite: ")]
        assert f"-{name}, 2026-01-0" in line
        assert f"cpu {name}" in line
        assert line in home


def test_the_rows_of_a_site_say_of_which_run_and_machine_they_are(small_site):
    rows = pd.read_csv(small_site / "summary.csv")
    assert set(zip(rows["run_id"].str[-1], rows["machine"], strict=True)) == {
        ("b", "cpu b, 2 threads"),
        ("a", "cpu a, 2 threads"),
    }
    other = rows[(rows["implementation"] == "other") & (rows["run_id"].str[-1] == "a")].set_index("mode")
    assert other.loc["train_step", ["ratio", "verdict"]].tolist() == [pytest.approx(2), "slower"]


@pytest.mark.texts
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_document_fits_and_axe_finds_nothing(small_site, visit, width, scheme):
    pages = sorted(small_site.glob("docs/**/*.html"))
    assert len(pages) > 10
    pages.append(small_site / "history" / "other.html")
    for path in pages:
        page = visit(path, width=width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert (path.name, violations(page)) == (path.name, [])


def test_a_document_links_to_pages_and_not_to_files_of_the_project(tmp_path):
    texts = {
        "CONTRIBUTING.md": "# Contributing\n\n[one](docs/one.md#a-b) [code](impls/x.py) <script>x</script>\n",
        "docs/one.md": "# One\n\n## `A` b?\n\n[home](../README.md#run), [d](decisions/d.md)\n\n"
        "<!-- t -->\n| a |\n|--:|\n| b |\n<!-- end of t -->\n",
        "docs/decisions/d.md": "# D\n\n[up](../one.md) [out](https://example.org/)\n",
    }
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    contributing, one, decision = documents.documents(tmp_path)
    assert [each.title for each in (contributing, one, decision)] == ["Contributing", "One", "D"]
    holds = {
        contributing: ['href="one.html#a-b"', "<a>code</a> &lt;script&gt;"],
        one: [
            '<h2 id="a-b">',
            '<td class="right">',
            'href="../index.html"',
            'href="decisions/d.html"',
            '<div class="wide"',
        ],
        decision: ['href="../one.html"', 'href="https://example.org/"'],
    }
    for document, texts in holds.items():
        assert [text for text in texts if text not in document.html] == []
    assert "style=" not in one.html  # which the page's own policy forbids
    assert "&lt;!--" not in one.html


def test_a_good_run_is_published(tmp_path):
    run, to = publishable(tmp_path / "run"), tmp_path / "published"
    done = publish(run, to)
    assert (done.exception, done.return_value) == (None, 0), done.stderr
    assert {path.name for path in to.rglob("*.*")} == {
        *("results.parquet", "environment.json", "table.md"),
        "rounds.parquet",
    }


def released(row):
    row["implementation"] = row["implementation"].replace("scan", "scan@jax==0.8.*")


def later(row, **changes):
    """Of other code, so that it is no round of the same run."""
    row.update({"run_id": "20260102T000000-r", "digest": "another"} | changes)


def another(row):
    later(row, implementation=row["implementation"].replace("scan", "scan_vjp"))


@pytest.mark.parametrize(
    ("change", "model", "left"),
    [
        pytest.param(later, 1, ["later"], id="other code"),
        pytest.param(later, 2, ["later", "run"], id="another processor"),
        pytest.param(
            lambda row: later(row, run_id="20251231T000000-r"),
            1,
            ["later", "run"],
            id="an older run",
            marks=pytest.mark.nightly,
        ),
        pytest.param(another, 1, ["later", "run"], id="another LSTM", marks=pytest.mark.nightly),
    ],
)
def test_a_run_takes_the_place_of_an_older_one_all_of_whose_rows_it_has(change, model, left, tmp_path):
    to = tmp_path / "published"
    publish(publishable(tmp_path / "run"), to)
    before = pd.read_parquet(to / "rounds.parquet")
    publish(publishable(tmp_path / "releases", released), to)
    path = publishable(tmp_path / "later", change, model=model)
    environment = json.loads((path / "environment.json").read_text())
    environment["run"]["run_id"] = read_records(path / "results.parquet")[0].run_id
    (path / "environment.json").write_text(json.dumps(environment))
    done = publish(path, to)
    assert (done.exception, done.return_value) == (None, 0), done.stderr
    assert names(to) == sorted([*left, "releases"])
    after = pd.read_parquet(to / "rounds.parquet")
    assert len(after) > len(before) == len(before.merge(after))  # each row is there as it was


def test_what_a_run_replaces_is_on_record_though_both_are_published_at_once(tmp_path):
    to = tmp_path / "published"
    done = publish(publishable(tmp_path / "run"), to, publishable(tmp_path / "later", later))
    assert (done.exception, done.return_value) == (None, 0), done.stderr
    assert names(to) == ["later"]
    assert set(pd.read_parquet(to / "rounds.parquet")["round"].str[:8]) == {"20260101", "20260102"}


def test_a_run_that_cannot_be_copied_removes_none(tmp_path, monkeypatch):
    to = tmp_path / "published"
    publish(publishable(tmp_path / "run"), to)

    def on_a_full_disk(_, place):
        (place / "results.parquet").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publication, "copy_raw", on_a_full_disk)
    assert isinstance(publish(publishable(tmp_path / "later", later), to).exception, OSError)
    assert names(to) == ["run"]
    assert frames.read_run(to / "run").run_id == "20260101T000000-r"


def fail(row):
    if row["implementation"] == "jax_scan":
        row.update(status="disagrees", reason="grad_x", seconds=None, turns=None)


def shake(row):
    row["seconds"] *= 1.5 ** (row["replicate"] % 2)


def leave_out(row):
    row["problem"] = row["problem"].replace("t64", "t63")


BAD = {
    "a dirty commit": ({"commit": {"id": "abc", "dirty": True}}, None, "differed from its commit"),
    "no commit": ({"commit": {}}, None, "commit is not known"),
    "a wrong implementation": ({}, fail, "jax_scan has the status disagrees"),
    "a busy machine": ({}, shake, "the machine was busy"),
    "no preset": ({}, leave_out, "no preset"),
    "few replicates": ({}, lambda row: row["replicate"] < 3, "3 replicates"),
    "an unknown processor": ({"machine": {"model": None}}, None, "processor is not known"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_good_enough_is_not_published(name, tmp_path):
    metadata, change, message = BAD[name]
    path = publishable(tmp_path / "run", change or id)
    environment = json.loads((path / "environment.json").read_text())
    for key, value in metadata.items():
        environment[key] = value if key == "commit" else environment[key] | value
    (path / "environment.json").write_text(json.dumps(environment))
    done = publish(path, tmp_path / "published")
    assert done.return_value == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "published").exists()


def test_runs_of_one_folder_name_have_names_of_their_own(tmp_path):
    folders = [save(tmp_path / name / "run", SMALL).folder for name in "ab"] + [
        save(tmp_path / "figures", SMALL).folder
    ]
    assert run_folder.names([frames.read_run(folder) for folder in folders]) == ["run", "run-r", "figures-r"]
