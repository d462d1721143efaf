"""The tables of README and docs show the figures of the runs, machine by machine."""

from benchmarks.cases import FLOAT64, IMDB, QUICK
from reports import frames
from reports.publishing import figures, readme, texts
from reports.publishing.figures import Published
from tests.helpers.answers import report_of
from tests.helpers.records import save, trained


def published(folder, records, families=(25,)):
    """A run of the same records on each of some processors, whose baseline is torch_lstm."""
    reports = []
    for family in families:
        path = save(folder / str(family), records, family=family).folder
        environment = path / "environment.json"
        environment.write_text(environment.read_text().replace('"base"', '"torch_lstm"'))
        reports.append(report_of(frames.read_run(path), str(family)))
    return Published(reports)


def cells_of(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_a_machine_has_a_column_if_it_has_a_figure(tmp_path):
    torch = trained("torch_lstm", 1e-3, problem=IMDB)
    one = published(tmp_path / "a", torch + trained("keras_jax", 2e-3, problem=IMDB))
    cpp = trained("torch_cpp", 5e-4, problem=IMDB, digest="another")
    both = Published([*one.reports, *published(tmp_path / "b", torch + cpp, (26,)).reports])
    head, _, keras, cpp = cells_of(figures.side_by_side("imdb", both.figures))
    assert head[1:] == ["a cpu, family 25, r--", "a cpu, family 26, r--"]  # and the day, of the run's id
    assert (keras[1][:4], keras[2], cpp[1]) == ("2.00", "–", "–")
    assert (cpp[2][:5], cpp[2][-14:]) == ("**0.5", ", *older code*")


def test_float64_is_compared_with_float32_and_names_the_operator(tmp_path):
    rows = []
    for mode, cost in (("train_step", 3.0), ("forward", 2.0)):
        rows += trained("torch_lstm", 1e-3, mode, problem=FLOAT64.removesuffix("-float64"), kernel="a::fused × 1")
        rows += trained("torch_lstm", 1e-3 * cost, mode, problem=FLOAT64, kernel="a::addmm × 9")
    _, _, *table = cells_of(figures.side_by_side("float64", published(tmp_path, rows).figures))
    assert [row[1][:3] for row in table] == ["3.0", "2.0", "ano"]


def test_releases_are_compared_with_the_oldest(tmp_path):
    rows = trained("torch_lstm", 1e-3, problem=QUICK[0])
    for release, seconds in {"0.4.31": 1e-3, "0.10.0": 4e-3, "0.9.1": 2e-3}.items():
        rows += trained(f"jax_scan@jax=={release}", seconds, problem=QUICK[0], versions=f"jax {release}")
    about, *table = texts.by_release("jax_scan", published(tmp_path, rows)).splitlines()
    assert "÷ jax 0.4.31" in about
    older, newer = [row[:2] for row in cells_of("\n".join(table[3:]))]
    assert (older[0], older[1][:4], newer[0], newer[1][:4]) == ("jax 0.9.1", "2.00", "jax 0.10.0", "4.00")


def test_readme_has_the_first_two_machines(tmp_path):
    rows = [row for problem in QUICK for row in trained("torch_lstm", 1e-3, problem=problem)]
    rows += trained("torch_cpp", 5e-4, problem=QUICK[1])
    text = readme.fastest(published(tmp_path, rows, (25, 26, 27)))
    baseline, cpp = cells_of(text)[2:4]
    assert [cell[:4] for cell in baseline[1:]] == ["1 (1"] * 4
    assert all(cell.endswith("] ms)") for cell in baseline[1:])
    assert [cell[:4] for cell in cpp[1:]] == ["–", "**0."] * 2
    assert "reports/published/25/table.md" in text
    assert "27" not in text
