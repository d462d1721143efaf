"""The page in a real browser, made of runs that the suite itself measured."""

import json

import pytest

from benchmarks.record import read_records, write_records
from tests.helpers.browser import axe
from tests.helpers.processes import python
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.process
FULL = next(folder for folder in PUBLISHED if folder.name.endswith("-full"))


def build(*arguments):
    return python("-m", "reports", "report", *arguments)


@pytest.fixture
def visit(site, visits):
    with visits() as browsed:
        browsed.page.goto((site / "index.html").as_uri())
        yield browsed
        assert browsed.complaints == []
        assert browsed.abroad() == []


def shown(visit):
    return visit.page.locator("tbody.row:visible")


def of(rows, key):
    """The values that a filter goes by, of rows that are shown."""
    return set(rows.evaluate_all(f"rows => rows.map(row => row.dataset.{key})"))


def test_filters_show_what_was_asked_for_and_say_how_much(visit):
    page = visit.page
    every = page.locator("tbody.row").count()
    first = shown(visit).count()
    assert 0 < first < every
    assert (of(shown(visit), "workload"), of(shown(visit), "mode")) == ({"sequence"}, {"train_step"})
    page.locator("#filters select[name=mode]").select_option("backward")
    assert of(shown(visit), "mode") == {"backward"}
    page.locator("#filters select[name=track]").select_option("tuned")
    assert of(shown(visit), "track") == {"tuned"}
    page.locator("#filters input").fill("VJP")
    names = shown(visit).locator("th").all_text_contents()
    assert names
    assert all("vjp" in name for name in names)
    page.get_by_role("button", name="show all").click()
    assert shown(visit).count() == min(every, 500)


def test_two_choices_decide_sentence_map_charts_and_rows(visit):
    page = visit.page
    sentences = page.locator("p[data-shape]:visible")
    assert sentences.count() == 1
    assert "Training at t64-b16-i128-h128" in sentences.text_content()
    page.locator("#choice select[name=shape]").select_option("t64-b1-i128-h128")
    page.locator("#choice select[name=mode]").select_option("forward")
    assert sentences.count() == 1
    assert "Inference at t64-b1-i128-h128" in sentences.text_content()
    assert of(shown(visit), "problem") == {"t64-b1-i128-h128"}
    assert of(shown(visit), "mode") == {"forward"}
    assert page.locator(".map:visible").count() == 1
    assert page.locator(".map:visible h3").text_content().startswith("Inference")
    for key, value in (("shape", "t64-b1-i128-h128"), ("mode", "forward")):
        figures = page.locator(f"figure[data-{key}]:visible")
        assert figures.count() > 0
        assert of(figures, key) == {value}
    other = page.context.browser.new_context().new_page()
    other.goto(page.url)
    assert "Inference at t64-b1-i128-h128" in other.locator("p[data-shape]:visible").text_content()
    page.go_back()
    assert "Training at t64-b1-i128-h128" in sentences.text_content()
    assert of(shown(visit), "mode") == {"train_step"}
    page.go_back()
    assert "Training at t64-b16-i128-h128" in sentences.text_content()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("t30-b60-i256-h500", "t32-b64-i256-h512"),
        ("B = 2", "t64-b2-i128-h128"),
        ("T=28, B=64, I=20", "t28-b64-i28-h128"),
        ("batch 1", "t64-b1-i128-h128"),
        ("batch size 64, sequence length 30, hidden 100", "t28-b64-i28-h128"),
    ],
)
def test_a_shape_that_was_not_measured_finds_the_nearest(visit, typed, found):
    page = visit.page
    page.locator("#choice input[name=like]").fill(typed)
    page.locator("#choice input[name=like]").press("Enter")
    assert page.locator("#choice select[name=shape]").input_value() == found
    assert found in page.locator("p[data-shape]:visible").text_content()
    assert page.locator("#nearest").text_content() == f"Of what was measured, {found} is the nearest to {typed}."


def test_a_shape_that_can_not_be_read_changes_nothing_and_is_told(visit):
    page = visit.page
    page.locator("#choice input[name=like]").fill("8, 100")
    page.locator("#choice input[name=like]").press("Enter")
    assert page.locator("#choice select[name=shape]").input_value() == "t64-b16-i128-h128"
    assert "We can't read this shape." in page.locator("#nearest").text_content()
    page.locator("#choice select[name=shape]").select_option("t64-b1-i128-h128")
    assert not page.locator("#nearest").is_visible()


def test_many_rows_are_shown_in_two_steps(visit):
    page = visit.page
    page.get_by_role("button", name="show all").click()
    every = page.locator("tbody.row").count()
    assert every > 500
    assert shown(visit).count() == 500
    assert page.locator("#filters output").text_content() == f"500 of {every} rows shown"
    page.get_by_role("button", name="Show the rows that are left").click()
    assert shown(visit).count() == every
    assert not page.locator("#rest").is_visible()


def test_a_click_on_the_map_chooses_the_shape(visit):
    page = visit.page
    assert page.locator(".map:visible").count() == 1
    page.locator(".map:visible [data-choose='t64-b1-i128-h128']").click()
    assert "Training at t64-b1-i128-h128" in page.locator("p[data-shape]:visible").text_content()
    assert page.locator("#choice select[name=shape]").input_value() == "t64-b1-i128-h128"


def test_a_mark_says_its_numbers_under_the_pointer(visit):
    page = visit.page
    assert not page.locator("#tip").is_visible()
    mark = page.locator("figure:visible .chart:visible [data-tip^='torch_cell,']").first
    mark.hover()
    assert page.locator("#tip").text_content() == mark.get_attribute("data-tip")
    page.mouse.move(1, 1)
    assert not page.locator("#tip").is_visible()


@pytest.mark.parametrize(("width", "drawn"), [(1280, "on-wide"), (390, "on-narrow")])
def test_a_chart_is_drawn_for_the_width_of_the_page(site, visits, width, drawn):
    with visits(width) as browsed:
        browsed.page.goto((site / "index.html").as_uri())
        charts = browsed.page.locator("figure:visible .chart:visible")
        assert charts.count() >= 3
        assert browsed.page.locator(f".chart.{drawn}:visible").count() == charts.count()
        for svg in charts.locator("svg").all():
            box = svg.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


def test_a_row_has_an_address_that_opens_it(visit, site):
    page = visit.page
    row = "t64-b1-i128-h128/sequence/train_step/torch_lstm"
    page.locator("#filters select[name=mode]").select_option("forward")
    page.goto((site / "index.html").as_uri() + "#" + row)
    more = page.locator(f"[id='{row}'] tr.more")
    assert more.is_visible()
    assert "nox -s bench" in more.text_content()
    assert of(shown(visit), "mode") == {"train_step"}
    box = page.locator(f"[id='{row}'] button").bounding_box()
    assert 0 <= box["y"] <= 900
    more.get_by_role("link", name="Link to this row").click()
    assert page.url.endswith(row)
    assert more.is_visible()


def test_a_filter_can_be_linked_to(visit):
    page = visit.page
    page.locator("#filters select[name=mode]").select_option("forward")
    page.locator("#filters input").fill("scan")
    address = page.evaluate("location.href")
    assert "mode=forward" in address
    other = page.context.browser.new_context().new_page()
    other.goto(address)
    rows = other.locator("tbody.row:visible")
    assert of(rows, "mode") == {"forward"}
    assert rows.count() == shown(visit).count() > 0


def test_where_no_row_is_left_it_says_so(visit):
    page = visit.page
    page.locator("#filters select[name=mode]").select_option("backward")
    page.locator("#filters select[name=workload]").select_option("model")
    assert shown(visit).count() == 0
    assert page.locator("#none").is_visible()


@pytest.mark.parametrize("name", ["time [95 % interval]", "implementation"])
def test_sorting_is_by_value_in_both_directions(visit, name):
    header = visit.page.locator("#every thead th")
    names = [text.strip() for text in header.all_text_contents()]
    number = names.index(name)
    for direction in ("ascending", "descending"):
        header.nth(number).locator("button").click()
        assert header.nth(number).get_attribute("aria-sort") == direction
        cells = [row.locator("th, td").nth(number) for row in shown(visit).all()]
        values = [cell.get_attribute("data-value") or cell.text_content() for cell in cells]
        known = [float(value) for value in values] if number else values
        assert known == sorted(known, reverse=direction == "descending")


def test_a_row_leads_to_its_raw_data_and_to_the_command_that_measures_it_again(site, visit):
    button = shown(visit).get_by_role("button", name="jax_scan_vjp", exact=True).first
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    visit.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    more = visit.page.locator(f"[id='{button.get_attribute('aria-controls')}']")
    assert more.is_visible()
    command = more.locator("code").text_content()
    problem = more.locator("xpath=..").get_attribute("data-problem")
    assert command.startswith("nox -s bench -- --impl jax_scan_vjp --impl torch_lstm ")
    assert f"--problem {problem} --workload sequence --mode train_step" in command
    for link in more.locator("a:not([href^='#'])").all():
        assert (site / link.get_attribute("href")).is_file()


def test_the_times_shown_are_those_of_the_raw_records(site, visit):
    """Recomputed by other code than the report's: of the rows that are shown, from the single turns."""
    import math
    import statistics

    name = visit.page.locator("#filters select[name=run]").input_value()
    records = [record for record in read_records(site / "runs" / name / "results.parquet") if record.status == "ok"]
    names = [text.strip() for text in visit.page.locator("#every thead th").all_text_contents()]
    seen = 0
    for row in shown(visit).all():
        wanted = [row.get_attribute(f"data-{key}") for key in ("problem", "workload", "mode", "device")]
        implementation = row.locator("th").text_content()
        mine = [
            record
            for record in records
            if [record.problem, record.workload, record.mode, record.device] == wanted
            and record.implementation == implementation
        ]
        logs = [math.log(statistics.median(turn.seconds for turn in record.turns)) for record in mine]
        cell = row.locator("tr").first.locator("td").nth(names.index("time [95 % interval]") - 1)
        assert math.isclose(math.exp(statistics.mean(logs)), float(cell.get_attribute("data-value")), rel_tol=1e-5)
        seen += 1
    assert seen >= 24


def test_without_its_script_nothing_is_missing(site, visits):
    with visits(java_script_enabled=False) as browsed:
        browsed.page.goto((site / "index.html").as_uri())
        assert shown(browsed).count() == browsed.page.locator("tbody.row").count()
        assert browsed.page.locator("tr.more:visible").count() == browsed.page.locator("tr.more").count()
        assert browsed.page.locator("p[data-shape]:visible").count() > 2
        assert browsed.page.locator("#filters:visible, #choice:visible").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_fits_and_axe_finds_nothing_serious(site, visits, width, scheme):
    source = axe()
    with visits(width, color_scheme=scheme, bypass_csp=True) as browsed:
        browsed.page.goto((site / "index.html").as_uri())
        assert browsed.page.evaluate("document.documentElement.scrollWidth") <= width
        browsed.page.evaluate(source)
        found = browsed.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        bad = [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found["violations"] if v["impact"] in SERIOUS]
        assert bad == []
        # the check itself can fail
        visible = "[...document.querySelectorAll('figure svg')].find(svg => svg.getClientRects().length)"
        browsed.page.evaluate(f"{visible}.removeAttribute('aria-label')")
        found = browsed.page.evaluate("axe.run(document, {runOnly: ['svg-img-alt']})")
        assert "svg-img-alt" in [v["id"] for v in found["violations"]]


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """The page of a run, and of its like on another machine, which lacks a shape."""
    folder = tmp_path_factory.mktemp("machines")
    environment = json.loads((FULL / "environment.json").read_text())
    for name, family in (("one", 25), ("two", 26)):
        (folder / name).mkdir()
        records = [row for row in read_records(FULL / "results.parquet") if row.replicate < 2]
        records = [row for row in records if name == "one" or not row.problem.startswith("t28")]
        run = {**environment["run"], "run_id": f"2026010{family - 24}T000000-{name}"}
        for row in records:
            row.run_id = run["run_id"]
            for turn in row.turns or ():
                turn.started += family  # no two runs have the same turns
        write_records(folder / name / "results.parquet", records)
        machine = {**environment["machine"], "family": family, "model": 17}
        (folder / name / "environment.json").write_text(json.dumps({**environment, "machine": machine, "run": run}))
    done = build(folder / "one", folder / "two", "--out", folder / "site")
    assert done.returncode == 0, done.stderr
    return folder / "site" / "index.html"


def test_a_choice_of_machine_decides_too(machines, visits):
    with visits() as browsed:
        page = browsed.page
        page.goto(machines.as_uri())
        sentence = page.locator("p[data-shape]:visible")
        assert "family 26" in sentence.text_content()
        assert len(of(shown(browsed), "machine")) == 1
        machine = page.locator("#choice select[name=machine]")
        assert machine.locator("option").count() == 2
        machine.select_option(index=1)
        assert "family 25" in sentence.text_content()
        (rows,) = of(shown(browsed), "machine")
        assert "family 25" in rows
        assert page.locator(".map:visible").count() == 1
        assert "family 25" in page.locator(".map:visible h3").text_content()
        # a shape that one of them does not have is shown on the other
        machine.select_option(index=0)
        page.locator("#choice select[name=shape]").select_option("t28-b64-i28-h128")
        assert "t28-b64-i28-h128" in sentence.text_content()
        assert not page.locator("#unmeasured").is_visible()
        assert "family 25" in sentence.text_content()
        machine.select_option(index=0)
        assert sentence.count() == 0
        assert page.locator("#unmeasured").is_visible()
        assert page.locator(".unmeasured:visible").count() == 1
        assert browsed.complaints == []


def test_a_table_that_goes_on_beyond_the_edge_shows_it(site, visits):
    with visits(390) as browsed:
        page = browsed.page
        page.goto((site / "index.html").as_uri())
        table = page.locator(".map:visible .wide")
        page.wait_for_function("document.querySelector('.map:not([hidden]) .wide').classList.contains('cut')")
        table.evaluate("wide => wide.scrollTo(wide.scrollWidth, 0)")
        page.wait_for_function("!document.querySelector('.map:not([hidden]) .wide').classList.contains('cut')")
        assert browsed.complaints == []


def test_paper_shows_what_is_folded_up_on_the_screen_and_no_controls(visit):
    page = visit.page
    page.emulate_media(media="print")
    assert page.locator("form:visible, nav:visible").count() == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    folded = page.locator("details")
    assert folded.count() > 5
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


SERIOUS = ("serious", "critical")
