"""The site: every link holds, data.json is what its schema says, a workflow uploads it."""

import html.parser
import json
import shlex
from functools import cache
from urllib.parse import unquote, urldefrag

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from benchmarks.record import read_records, write_records
from reports import documents
from reports.__main__ import cli
from tests.helpers.browser import violations
from tests.helpers.processes import ROOT
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.process

WORKFLOW = ROOT / ".github" / "workflows" / "pages.yml"


class Links(html.parser.HTMLParser):
    """The ids and the links of a page."""

    def __init__(self):
        super().__init__()
        self.ids, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids.add(named.get("id"))
        self.links += [named[name] for name in ("href", "src") if named.get(name)]


@cache
def read(path):
    found = Links()
    found.feed(path.read_text())
    return found


def broken(site):
    """Every link of every page that leads nowhere in the site, or to a heading that is not there."""
    found = []
    for page in sorted(site.rglob("*.html")):
        for link in read(page).links:
            if link.startswith(("https://", "data:")):
                continue
            address, anchor = urldefrag(link)
            target = (page.parent / unquote(address)).resolve() if address else page
            lost = not target.is_file() or (
                anchor and target.suffix == ".html" and unquote(anchor) not in read(target).ids
            )
            found += [(page.relative_to(site).as_posix(), link)] * bool(lost)
    return found


def test_every_link_of_the_site_leads_somewhere(site):
    assert len(list(site.rglob("*.html"))) > 10
    assert broken(site) == []


def test_a_broken_link_is_found(site, tmp_path):
    """The negative control."""
    (tmp_path / "there.html").write_text(
        '<a id="here" href="missing.html"></a><a href="#gone"></a><a href="#here"></a>'
    )
    assert broken(tmp_path) == [("there.html", "missing.html"), ("there.html", "#gone")]


def test_the_workflow_builds_the_site_and_uploads_it():
    build, deploy = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    install, command = (step["run"] for step in build["steps"] if "run" in step)
    (upload,) = (step for step in build["steps"] if step.get("uses", "").startswith("actions/upload-pages-artifact@"))
    assert install == "python -m pip install -q nox"
    assert shlex.split(command) == ["nox", "-s", "site", "--", "--out", upload["with"]["path"]]
    assert [step["uses"].partition("@")[0] for step in deploy["steps"]] == ["actions/deploy-pages"]
    assert deploy["needs"] == "build"
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}


def test_every_published_run_has_its_own_page(site):
    for folder in PUBLISHED:
        page = (site / "runs" / folder.name / "index.html").read_text()
        assert f"lstm-bench, run {json.loads((folder / 'environment.json').read_text())['run']['run_id']}" in page
    names = [folder.name for folder in PUBLISHED]
    home = (site / "index.html").read_text()
    assert all(name in home for name in names)


def test_data_is_what_its_schema_says(site):
    found = json.loads((site / "data.json").read_text())
    schema = json.loads((site / "data.schema.json").read_text())
    jsonschema.validate(found, schema)
    assert {run["run_id"] for run in found["runs"]} == {
        json.loads((folder / "environment.json").read_text())["run"]["run_id"] for folder in PUBLISHED
    }
    del found["runs"][0]["rows"][0]["problem"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_document_fits_and_axe_finds_nothing_serious(site, visit, width, scheme):
    pages = sorted(site.glob("docs/**/*.html"))
    assert len(pages) > 10
    for path in pages:
        page = visit(path, width=width, color_scheme=scheme, bypass_csp=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert (path.name, violations(page)) == (path.name, [])


def test_a_badge_is_what_shields_reads(site):
    badge = json.loads((site / "badge.json").read_text())
    assert badge["schemaVersion"] == 1
    assert set(badge) == {"schemaVersion", "label", "message", "color"}
    assert "torch_lstm fastest at" in badge["message"]


def test_a_document_links_to_pages_and_not_to_files_of_the_project(tmp_path):
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    (tmp_path / "CONTRIBUTING.md").write_text(
        "# Contributing\n\n[one](docs/one.md#a-b) [code](impls/x.py) <script>x</script>\n"
    )
    (tmp_path / "docs" / "one.md").write_text(
        "# One\n\n## `A` b?\n\n[home](../README.md#run-it), [d](decisions/d.md)\n\n| a |\n|---|\n| b |\n"
    )
    (tmp_path / "docs" / "decisions" / "d.md").write_text("# D\n\n[up](../one.md) [out](https://example.org/)\n")
    contributing, one, decision = documents.documents(tmp_path)
    assert 'href="one.html#a-b"' in contributing.html
    assert "<a>code</a> &lt;script&gt;" in contributing.html
    assert "x.py" not in contributing.html
    assert '<h2 id="a-b">' in one.html
    assert 'href="../index.html"' in one.html
    assert 'href="decisions/d.html"' in one.html
    assert '<div class="wide"' in one.html
    assert 'href="../one.html"' in decision.html
    assert 'href="https://example.org/"' in decision.html
    assert [each.title for each in (contributing, one, decision)] == ["Contributing", "One", "D"]


FULL = next(folder for folder in PUBLISHED if folder.name.endswith("-full"))


def copied(folder, change=None, **metadata):
    """A copy of a published run whose records and metadata are changed."""
    place = folder / "run"
    place.mkdir()
    records = read_records(FULL / "results.parquet")
    for record in records:
        if change:
            change(record)
    write_records(place / "results.parquet", records)
    environment = json.loads((FULL / "environment.json").read_text())
    (place / "environment.json").write_text(json.dumps({**environment, **metadata}))
    return place


def publish(folder, to):
    return CliRunner().invoke(cli, ["publish", str(folder), "--to", str(to)], standalone_mode=False)


def test_a_good_run_is_published(tmp_path):
    done = publish(copied(tmp_path), tmp_path / "published")
    assert (done.exception, done.return_value) == (None, 0)
    kept = {path.name for path in (tmp_path / "published" / "run").iterdir()}
    assert kept == {"results.parquet", "environment.json", "table.md"}


def fail(record):
    if record.implementation == "jax_scan":
        record.status, record.reason, record.seconds, record.turns = "disagrees", "grad_x", None, None


def shake(record):
    if record.seconds:
        record.seconds *= 1.5 ** (record.replicate % 2)


def leave_out(record):
    if record.problem.startswith("t28"):
        record.problem = record.problem.replace("t28", "t29")


BAD = {
    "a dirty commit": ({"commit": {"id": "abc", "dirty": True}}, None, "files differed from its commit"),
    "no commit": ({"commit": {}}, None, "its commit is not known"),
    "a wrong implementation": ({}, fail, "jax_scan has the status disagrees"),
    "a busy machine": ({}, shake, "the machine was busy"),
    "no preset": ({}, leave_out, "its benchmarks are those of no preset"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_good_enough_is_not_published(name, tmp_path):
    metadata, change, message = BAD[name]
    done = publish(copied(tmp_path, change, **metadata), tmp_path / "published")
    assert done.return_value == 1
    assert done.stderr.startswith(f"not published: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "published").exists()
