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


@pytest.fixture
def table(folder, visit):
    return visit(folder / "rows.html")


def rows(page):
    return page.locator("tbody.row:visible")


def of(found, key):
    """The values that a filter goes by, of elements that are shown."""
    return set(found.evaluate_all(f"all => all.map(each => each.dataset.{key})"))


def choose(page, **values):
    for name, value in values.items():
        page.locator(f"form select[name={name}]").select_option(value)


def advice(page):
    return page.locator("p[data-shape]:visible").text_content()


def test_filters_and_search_show_what_was_asked_for_and_can_be_linked_to(folder, table, visit):
    every = table.locator("tbody.row").count()
    assert rows(table).count() == 500 < every
    table.get_by_role("button", name="Show the rows that are left").click()
    assert rows(table).count() == every
    choose(table, mode="backward", track="tuned")
    assert [of(rows(table), key) for key in ("mode", "track")] == [{"backward"}, {"tuned"}]
    other = visit(folder / "rows.html", table.evaluate("location.hash"))
    assert of(rows(other), "mode") == {"backward"}
    table.locator("input").fill("TORCH_cell_c")  # no such row is tuned: it is found in all rows
    assert set(rows(table).locator("tr:first-child th").all_text_contents()) == {"torch_cell_compiled"}
    table.locator("input").fill("no such name")
    assert rows(table).count() == 0
    assert table.locator("#none").is_visible()


def test_one_choice_decides_the_sentence_and_the_rows_that_it_leads_to(folder, page, visit):
    assert f"Training at {FIRST}" in advice(page)
    choose(page, shape=SECOND, mode="forward")
    assert f"Inference at {SECOND}" in advice(page)
    assert f"Inference at {SECOND}" in advice(visit(folder / "index.html", page.evaluate("location.search")))
    page.go_back()
    assert f"Training at {SECOND}" in advice(page)
    page.locator("#these a").click()
    page.wait_for_load_state()  # a click does not wait until the rows' page has read its address
    assert [of(rows(page), key) for key in ("problem", "mode", "machine")] == [{SECOND}, {"train_step"}, {"cpu one"}]


def test_a_choice_of_machine_moves_everything(page):
    of_machines = page.locator("[data-machine]:visible")
    assert of(of_machines, "machine") == {"cpu one"}
    choose(page, machine="cpu two")
    assert of(of_machines, "machine") == {"cpu two"}
    assert of_machines.count() >= 4  # the answer, the sentence, the table, the questions
    assert "cpu two" in advice(page)
    assert page.locator(f"[name=shape] option:text-is('{LACKED}')").is_disabled()


def ask(page, text):
    like = page.locator("#choice input[name=like]")
    like.fill(text)
    like.press("Enter")
    return page.locator("#nearest").text_content()


@pytest.mark.parametrize(
    ("typed", "found", "said"),
    [
        ("t30-b60-i256-h500", "t32-b64-i256-h512", "T is 32, not 30"),
        ("batch size 64, sequence length 30, hidden 100", LACKED, "H is 128, not 100"),
        ("B = 2", "t64-b2-i128-h128", "t64-b2-i128-h128."),  # of those as near, the nearest to what was shown
        ("T64B1H128", SECOND, "T64B1H128"),
        ("t5000-b2048-i4096-h4096", "t32-b64-i256-h512", "T is 32, not 5000, B is 64, not 2048, I"),
        ("8, 100", FIRST, "can't read"),
    ],
)
def test_a_typed_shape_finds_the_nearest_and_says_how_far_it_is(page, typed, found, said):
    assert said in (note := ask(page, typed))
    assert found in advice(page)
    assert ("far away" in note) == ("t5000" in typed)


@pytest.mark.parametrize("typed", ["t64-b16-i128-h128-bf16", "T64 B1 bfloat16", "t64-b16-i128-h128-l3", "b16 float64"])
def test_what_was_not_measured_gets_no_answer_of_something_else(page, typed):
    ask(page, typed)
    assert page.locator("p[data-shape]:visible").count() == 0
    assert page.locator("#unmeasured").is_visible()


@pytest.mark.parametrize("name", ["rows.html", "index.html"])  # the second one is an older address
def test_a_link_to_a_row_shows_the_row(folder, visit, name):
    row = f"{SECOND}/sequence/train_step/mine"
    other = visit(folder / name, "#" + row)
    more = other.locator(f"[id='{row}'] tr.more")
    head, found = (other.locator(each).bounding_box() for each in ("#every thead", f"[id='{row}'] button"))
    assert head["y"] + head["height"] <= found["y"] <= 900
    assert f"--impl mine --impl base --problem {SECOND} --workload sequence --mode train_step" in more.text_content()
    links = [link.get_attribute("href") for link in more.locator("a").all()]
    assert links[-1] == "#" + row
    assert links[:-1]
    assert all((folder / link).is_file() for link in links[:-1])
    button = other.locator(f"[id='{row}'] button")
    for opens in ("false", "true"):
        button.press("Enter")
        assert button.get_attribute("aria-expanded") == opens
        assert more.is_visible() == (opens == "true")


def test_sorting_is_by_value(table):
    choose(table, problem=FIRST, mode="forward", workload="sequence", machine="cpu one")
    names = rows(table).locator("tr:first-child th")
    times = table.locator("#every thead button", has_text="time")
    for direction in (1, -1):
        times.click()
        assert names.all_text_contents() == sorted(TIMES, key=TIMES.get)[::direction]
    table.locator("#every thead button").first.click()
    assert names.all_text_contents() == sorted(TIMES)


def test_a_mark_says_its_numbers_under_the_pointer(page):
    mark = page.locator("figure:visible .chart [data-tip^='jax_scan_vjp,']").first
    mark.hover()
    assert page.locator("#tip").text_content() == mark.get_attribute("data-tip")
    page.mouse.move(1, 1)
    assert not page.locator("#tip").is_visible()


def test_without_its_script_there_is_one_answer_and_then_the_table(folder, visit):
    page = visit(folder / "index.html", java_script_enabled=False)
    assert page.locator(".lead:visible").count() == 1
    assert page.locator("p[data-shape]:visible, form:visible").count() == 0
    assert page.locator("main table:visible").first.locator("tbody tr").count() == 2 * len(SHAPES)
    page = visit(folder / "rows.html", java_script_enabled=False)
    assert rows(page).count() == page.locator("tbody.row").count() > 500


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", ["index.html", "rows.html"])
def test_it_fits_and_axe_finds_nothing(folder, visit, name, width, scheme):
    page = visit(folder / name, width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [chart.bounding_box() for chart in page.locator(".chart:visible svg").all()]
    assert len(boxes) >= 3 or name == "rows.html"
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert violations(page) == []
    if boxes:
        page.locator(".chart:visible svg").first.evaluate("svg => svg.removeAttribute('aria-label')")
        assert len(violations(page, "svg-img-alt")) == 1
