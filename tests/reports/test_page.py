"""The page in a real browser: of two machines, the second of which lacks shapes."""

import pytest

from tests.helpers.browser import violations
from tests.helpers.processes import python
from tests.helpers.records import record, save

pytestmark = pytest.mark.process
TIMES = {"base": 1.0, "torch_cell": 3.0, "torch_cell_compiled": 1.4, "jax_scan": 0.8, "jax_scan_vjp": 0.6, "mine": 9.0}
MODES = {"forward": 1.0, "forward_train": 1.2, "backward": 2.0, "train_step": 3.0}
FIRST, SECOND, LACKED = "t64-b16-i128-h128", "t64-b1-i128-h128", "t28-b64-i28-h128"
SHAPES = (FIRST, SECOND, "t64-b2-i128-h128", LACKED, "t32-b64-i256-h512")


def records(run_id, shapes):
    """Two replicates of everything; no two of their times are alike, nor are two runs measured at the same time."""
    cases = [
        {"problem": shape, "workload": workload, "mode": mode, "implementation": name, "run_id": run_id}
        for shape in shapes
        for workload in ("cell", "sequence", "model")
        for mode in MODES
        for name in TIMES
    ]
    for k, case in enumerate(cases):
        name, track = case["implementation"], "tuned" if case["implementation"].endswith("vjp") else "default"
        for replicate in (0, 1):
            seconds = 1e-3 * TIMES[name] * MODES[case["mode"]] * (1 + k / 1e3 + replicate / 100)
            row = record(name, replicate, seconds, track=track, **case)
            for turn in row["turns"]:
                turn["started"] = 1e9 + 1e6 * int(run_id[:8]) + k + 1e3 * replicate + turn["position"] / 8
            yield row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the page."""
    folder = tmp_path_factory.mktemp("machines")
    for name, day, shapes in (("one", 2, SHAPES), ("two", 1, [FIRST, SECOND])):
        run_id = f"2026010{day}T000000-{name}"
        save(folder / name, list(records(run_id, shapes)), run_id, cpu=f"cpu {name}")
    done = python("-m", "reports", "report", folder / "one", folder / "two", "--out", folder / "site")
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def page(folder, visit):
    return visit(folder / "index.html")


def rows(page):
    return page.locator("tbody.row:visible")


def of(found, key):
    """The values that a filter goes by, of elements that are shown."""
    return set(found.evaluate_all(f"all => all.map(each => each.dataset.{key})"))


def choose(page, **values):
    for name, value in values.items():
        page.locator(f"#choice select[name={name}]").select_option(value)


def narrow(page, **values):
    for name, value in values.items():
        page.locator(f"#filters select[name={name}]").select_option(value)


def advice(page):
    return page.locator("p[data-shape]:visible").text_content()


def test_filters_show_what_was_asked_for_and_can_be_linked_to(folder, page, visit):
    every = page.locator("tbody.row").count()
    assert every > 500
    assert [of(rows(page), key) for key in ("workload", "mode", "machine")] == [
        {"sequence"},
        {"train_step"},
        {"cpu one"},
    ]
    narrow(page, mode="backward", track="tuned")
    assert [of(rows(page), key) for key in ("mode", "track")] == [{"backward"}, {"tuned"}]
    narrow(page, track="")
    page.locator("#filters input").fill("SCAN")
    assert set(rows(page).locator("tr:first-child th").all_text_contents()) == {"jax_scan", "jax_scan_vjp"}
    assert page.locator("#filters output").text_content() == f"10 of {every} rows shown"
    other = visit(folder / "index.html", page.evaluate("location.hash"))
    assert of(rows(other), "mode") == {"backward"}
    assert rows(other).count() == 10
    page.locator("#filters input").fill("no such name")
    assert rows(page).count() == 0
    assert page.locator("#none").is_visible()


def test_many_rows_are_shown_in_two_steps(page):
    page.get_by_role("button", name="show all").click()
    assert rows(page).count() == 500
    page.get_by_role("button", name="Show the rows that are left").click()
    assert rows(page).count() == page.locator("tbody.row").count()
    assert not page.locator("#rest").is_visible()


def test_two_choices_decide_sentence_map_charts_and_rows(folder, page, visit):
    assert f"Training at {FIRST}" in advice(page)
    choose(page, shape=SECOND, mode="forward")
    assert f"Inference at {SECOND}" in advice(page)
    assert [of(rows(page), key) for key in ("problem", "mode")] == [{SECOND}, {"forward"}]
    assert page.locator(".map:visible h3").text_content().startswith("Inference")
    for key, value in (("shape", SECOND), ("mode", "forward")):
        assert of(page.locator(f"figure[data-{key}]:visible"), key) == {value}
    assert f"Inference at {SECOND}" in advice(visit(folder / "index.html", page.evaluate("location.search")))
    page.go_back()
    assert f"Training at {SECOND}" in advice(page)
    assert of(rows(page), "mode") == {"train_step"}
    page.locator(f".map:visible [data-choose='{FIRST}']").click()
    assert f"Training at {FIRST}" in advice(page)
    assert page.locator("#choice select[name=shape]").input_value() == FIRST


def test_a_choice_of_machine_decides_too(page):
    assert "cpu one" in advice(page)
    choose(page, machine="cpu two")
    assert "cpu two" in advice(page)
    assert of(rows(page), "machine") == {"cpu two"}
    assert page.locator(".map:visible h3").all_text_contents() == ["Training, cpu two"]
    choose(page, shape=LACKED)  # is shown on the machine that has it
    assert "cpu one" in advice(page)
    choose(page, machine="cpu two")
    assert page.locator("p[data-shape]:visible").count() == 0
    assert page.locator("#unmeasured").is_visible()


def test_a_shape_that_was_not_measured_finds_the_nearest(page):
    like, note = page.locator("#choice input[name=like]"), page.locator("#nearest")
    for typed, found in (
        ("t30-b60-i256-h500", "t32-b64-i256-h512"),
        ("batch size 64, sequence length 30, hidden 100", LACKED),
        ("B = 2", "t64-b2-i128-h128"),  # of shapes that are as near, the one nearest to what was shown
    ):
        like.fill(typed)
        like.press("Enter")
        assert page.locator("#choice select[name=shape]").input_value() == found
        assert found in advice(page)
        assert found in note.text_content()
    like.fill("8, 100")
    like.press("Enter")
    assert "t64-b2-i128-h128" in advice(page)
    assert "can't read" in note.text_content()
    choose(page, shape=FIRST)
    assert not note.is_visible()


def test_a_row_has_an_address_that_opens_it_and_leads_to_its_data(folder, page, visit):
    row = f"{SECOND}/sequence/train_step/mine"
    other = visit(folder / "index.html", "?mode=forward#" + row)
    more = other.locator(f"[id='{row}'] tr.more")
    assert of(rows(other), "mode") == {"train_step"}
    assert 0 <= other.locator(f"[id='{row}'] button").bounding_box()["y"] <= 900
    assert f"--impl mine --impl base --problem {SECOND} --workload sequence --mode train_step" in more.text_content()
    links = [link.get_attribute("href") for link in more.locator("a").all()]
    assert links[-1] == "#" + row
    assert links[:-1]
    assert all((folder / link).is_file() for link in links[:-1])
    button = page.locator(f"[id='{row}'] button")
    narrow(page, problem=SECOND)
    for opens in ("true", "false"):
        button.press("Enter")
        assert button.get_attribute("aria-expanded") == opens
        assert page.locator(f"[id='{row}'] tr.more").is_visible() == (opens == "true")


def test_sorting_is_by_value(page):
    narrow(page, problem=FIRST)
    names = rows(page).locator("tr:first-child th")
    times = page.locator("#every thead button", has_text="time")
    for direction in (1, -1):
        times.click()
        assert names.all_text_contents() == sorted(TIMES, key=TIMES.get)[::direction]
    page.locator("#every thead button").first.click()
    assert names.all_text_contents() == sorted(TIMES)


def test_a_mark_says_its_numbers_under_the_pointer(page):
    mark = page.locator("figure:visible .chart:visible [data-tip^='torch_cell,']").first
    mark.hover()
    assert page.locator("#tip").text_content() == mark.get_attribute("data-tip")
    page.mouse.move(1, 1)
    assert not page.locator("#tip").is_visible()


def test_without_its_script_nothing_is_missing(folder, visit):
    page = visit(folder / "index.html", java_script_enabled=False)
    assert rows(page).count() == page.locator("tbody.row").count()
    assert page.locator("tr.more:visible").count() == rows(page).count()
    assert page.locator("p[data-shape]:visible").count() > 2
    assert page.locator("#filters:visible, #choice:visible").count() == 0


@pytest.mark.parametrize(("width", "scheme", "drawn"), [(1280, "light", "on-wide"), (390, "dark", "on-narrow")])
def test_it_fits_and_axe_finds_nothing_serious(folder, visit, width, scheme, drawn):
    page = visit(folder / "index.html", width=width, color_scheme=scheme, bypass_csp=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator(f".chart.{drawn}:visible svg")
    assert charts.count() == page.locator("figure:visible").count() >= 3
    boxes = [chart.bounding_box() for chart in charts.all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert violations(page) == []
    charts.first.evaluate("svg => svg.removeAttribute('aria-label')")
    assert len(violations(page, "svg-img-alt")) == 1
