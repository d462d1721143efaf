"""The page in a real browser: of two machines, the second of which lacks shapes.

What follows a click, a key or a link is asked by `expect`, which waits. What is read at once may be of before.
"""

import pytest
from playwright.sync_api import expect

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
            row = record(name, replicate, seconds, track=track, versions=f"{name.partition('_')[0]} 2", **case)
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


def only(page, count, **values):
    """So many rows are shown, and each has these values."""
    alike = "".join(f"[data-{key}='{value}']" for key, value in values.items())
    expect(rows(page)).to_have_count(count)
    expect(page.locator(f"tbody.row:visible{alike}")).to_have_count(count)


def choose(page, **values):
    for name, value in values.items():
        page.locator(f"form select[name={name}]").select_option(value)


def advice(page):
    return expect(page.locator("[data-shape]:visible"))


def test_filters_and_search_show_what_was_asked_for_and_can_be_linked_to(folder, table, visit):
    every = table.locator("tbody.row").count()
    assert every > 500
    expect(rows(table)).to_have_count(500)
    table.get_by_role("button", name="Show the rows that are left").click()
    expect(rows(table)).to_have_count(every)
    choose(table, mode="backward", track="tuned")
    only(table, 21, mode="backward", track="tuned")
    other = visit(folder / "rows.html", table.evaluate("location.hash"))
    only(other, 21, mode="backward", track="tuned")
    table.locator("input").fill("TORCH_cell_c")  # no such row is tuned: it is found in all rows
    expect(rows(table).locator("tr:first-child th button")).to_have_text(["torch_cell_compiled"] * 84)
    table.locator("input").fill("b1- TORCH_cell_c")  # words in any order
    expect(rows(table)).not_to_have_count(0)
    table.locator("input").fill("Jax 2")  # a version: it stands where a row is opened
    expect(table.locator("output")).to_have_text(f"{every // 3} of {every} rows shown")
    table.locator("input").fill("no such name")
    expect(rows(table)).to_have_count(0)
    expect(table.locator("#none")).to_be_visible()


def test_one_choice_decides_the_sentence_and_the_rows_that_it_leads_to(folder, page, visit):
    advice(page).to_contain_text(f"Training at {FIRST}")
    choose(page, shape=SECOND, mode="forward")
    advice(page).to_contain_text(f"Inference at {SECOND}")
    advice(visit(folder / "index.html", page.evaluate("location.search"))).to_contain_text(f"Inference at {SECOND}")
    page.go_back()
    advice(page).to_contain_text(f"Training at {SECOND}")
    page.get_by_role("link", name="All rows of this shape").click()
    only(page, 18, problem=SECOND, mode="train_step", machine="cpu one")


def test_a_choice_of_machine_moves_everything(page):
    for name, other in (("cpu one", "cpu two"), ("cpu two", "cpu one")):
        choose(page, machine=name)
        expect(page.locator(f"[data-machine='{other}']:visible")).to_have_count(0)
        expect(page.locator(f".lead section[data-machine='{name}']:visible")).to_have_count(1)
        expect(page.locator(f".map [data-machine='{name}']:visible")).to_have_count(1)  # or why there is none
        expect(page.locator(f"main [data-machine='{name}']:visible > details")).not_to_have_count(0)
        expect(page.locator("[data-shape]:visible")).to_have_attribute("data-machine", name)
        expect(page.locator("section:has(#cite) pre:visible")).to_contain_text(name)
    expect(page.locator(f"[name=shape] option:text-is('{LACKED}')")).to_be_disabled()


def test_on_a_phone_a_choice_shows_its_table(page):
    page.set_viewport_size({"width": 390, "height": 800})
    choose(page, shape=SECOND)
    expect(page.locator("[data-shape]:visible tbody tr").last).to_be_in_viewport()


def ask(page, typed):
    like = page.locator("#choice input[name=like]")
    like.fill(typed)
    like.press("Enter")
    return expect(page.locator("#nearest"))


TYPED = [
    ("t30-b60-i256-h500", "t32-b64-i256-h512", "--problem t30-b60-i256-h500"),
    ("B = 2", "t64-b2-i128-h128", "was measured"),
    ("batch 2, seq_len 64, hidden size 128", "t64-b2-i128-h128", "was measured"),
    ("64 time steps, 2 rows", "t64-b2-i128-h128", "was measured"),
    ("T5000 B16", "t64-b16-i128-h128", "Far from all"),
    ("64, 2, 128, 128", "t64-b2-i128-h128", "was measured"),
    ("packed", None, "Nothing like that"),
    ("hidden 500, batch 64", "t32-b64-i256-h512", "You gave no steps: taken as 64."),
    ("seq 64, hidden 128, batch -5", None, "Write sizes of 1 or more"),
    ("t64-b16-i128-h128-bfloat16", None, "Nothing"),
    ("T64 B1 L3", None, "Nothing"),
    ("jaxx, training, batch 2 rows", "t64-b2-i128-h128", "Not understood: jaxx."),
]
"""What is typed, the shape that is found, and what is said of it."""


def test_a_typed_shape_finds_the_nearest_and_nothing_of_another_kind(page):
    for typed, found, said in TYPED:
        ask(page, typed).to_contain_text(said)
        expect(page.locator("[data-shape]:visible")).to_have_count(int(bool(found)))
        expect(page.locator("[data-batches]:visible")).to_have_count(0)
        if found:
            advice(page).to_contain_text(found)


def test_between_two_cells_of_the_map_both_are_said_and_beyond_them_nothing(page):
    between = page.locator("[data-batches]:visible")
    ask(page, "batch 8, seq 64, hidden 128").to_contain_text("--problem t64-b8-i128-h128")
    expect(page.locator("#nearest")).to_contain_text("batch 2 and 16, hidden size 128, at 64 steps")
    expect(between).to_contain_text("Use jax_scan_vjp (tuned): it takes 0.60")
    choose(page, mode="forward")
    expect(between).to_have_count(1)
    for beyond in ("batch 17, hidden 128", "batch 8, seq 100, hidden 128"):
        ask(page, beyond).to_contain_text("measure it: nox -s bench")
        expect(between).to_have_count(0)


def test_words_that_are_no_shape_have_no_answer(page):
    ask(page, "a fast one").to_contain_text("Write sizes")
    expect(page.locator("[data-shape]:visible, #unmeasured:visible")).to_have_count(0)
    ask(page, "")
    advice(page).to_contain_text(f"Training at {FIRST}")


def test_a_purpose_and_a_library_that_are_typed_are_chosen(page):
    like = page.locator("#choice input[name=like]")
    ask(page, "base, batch 2").to_contain_text("was measured")
    assert "library=base" in page.url, "also where Enter comes at once"
    like.fill("jax inference, batch 2")
    expect(page.locator("#choice [name=library]")).to_have_value("jax")
    expect(page.locator("#choice [name=mode]")).to_have_value("forward")
    expect(page.locator("#library")).to_contain_text("Inference at t64-b2-i128-h128, in JAX")
    choose(page, mode="train_step")
    expect(page.locator("#library")).to_contain_text("Training at t64-b2-i128-h128, in JAX")
    like.fill("jax")
    expect(page.locator("[data-shape]:visible")).to_have_count(1)
    expect(page.locator("#nearest")).to_be_empty()


def test_what_leads_to_an_answer_is_found_by_its_words(page):
    """And leads somewhere on each machine, also where it was not measured."""
    ask(page, "torch.compile").to_contain_text("Training: no, base is faster without it")
    expect(page.locator(".lead section:visible")).to_have_count(0)
    link = page.locator("#nearest a")
    expect(link).to_have_count(1)
    link.click()
    expect(page.locator("#compile")).to_be_in_viewport()
    ask(page, "")
    for machine in ("cpu one", "cpu two"):
        choose(page, machine=machine)
        for lead in page.locator("header nav a[href^='#']").all():
            section = page.locator(f"section:has(> {lead.get_attribute('href')})")
            expect(section.locator("p:visible, li:visible, figure:visible").first).to_be_visible()


def test_a_cell_of_the_map_leads_to_its_row(folder, page):
    cell = page.locator(".map .chart a:visible").first
    place = cell.get_attribute("href").partition("#")[2]
    assert f'id="{place}"' in (folder / "rows.html").read_text()


def test_the_answer_follows_the_purpose(page):
    lead = page.locator(".lead section:visible")
    for mode in ("forward", "train_step"):
        choose(page, mode=mode)
        expect(lead).to_have_count(1)
        expect(lead).to_have_attribute("data-mode", mode)
    expect(lead).to_contain_text("It depends on the size: at 3 of 3, plain code is clearly faster than base.")
    expect(lead).to_contain_text(
        "At 3 of 3 (batch 1 to 16, hidden size 128), tuned code is clearly faster: jax_scan_vjp 0.60"
    )


def test_only_the_rows_of_a_library_are_shown_and_each_ratio_has_a_bar(page):
    shown = page.locator("[data-shape]:visible tbody tr:visible")
    expect(shown.locator("svg.bar")).to_have_count(shown.count())
    choose(page, library="jax")
    expect(page.locator(".advice:visible")).to_have_count(0)
    others = page.locator("[data-shape]:visible tbody tr:visible:not(.baseline)")
    expect(others).not_to_have_count(0)
    assert all("jax" in row.get_attribute("data-library").split() for row in others.all())
    best = others.locator("th").first.inner_text()
    expect(page.locator("#library")).to_contain_text(f"Training at {FIRST}, in JAX: {best}")


def test_a_link_to_a_row_shows_the_row(folder, visit):
    row = f"{SECOND}/sequence/train_step/mine"
    other = visit(folder / "rows.html", "#" + row)
    more, button = other.locator(f"[id='{row}'] tr.more"), other.locator(f"[id='{row}'] button")
    expect(button).to_be_in_viewport()
    head, found = other.locator("#every thead").bounding_box(), button.bounding_box()
    assert head["y"] + head["height"] <= found["y"] <= 900
    ratio = other.locator(f"[id='{row}'] td.ratio").inner_text()
    expect(more).to_contain_text(f"Cite: mine, {SECOND}, sequence, Training: {ratio} × base [95 %]; lstm-bench, run ")
    expect(more.locator("code").last).to_contain_text(f"cpu one, {other.url}")
    expect(more).to_contain_text(f"--impl mine --impl base --problem {SECOND} --workload sequence --mode train_step")
    links = [link.get_attribute("href") for link in more.locator("a").all()]
    assert links[-1] == "#" + row
    assert links[:-1]
    assert all((folder / link).is_file() for link in links[:-1])
    for opens in (False, True):
        button.press("Enter")
        expect(button).to_have_attribute("aria-expanded", str(opens).lower())
        expect(more).to_be_visible(visible=opens)


def test_sorting_is_by_value(table):
    choose(table, problem=FIRST, mode="forward", workload="sequence", machine="cpu one")
    names = rows(table).locator("tr:first-child th button")
    times = table.locator("#every thead button", has_text="time")
    for direction in (1, -1):
        times.click()
        expect(names).to_have_text(sorted(TIMES, key=TIMES.get)[::direction])
    table.locator("#every thead button").first.click()
    expect(names).to_have_text(sorted(TIMES))


def test_a_mark_says_its_numbers_under_the_pointer(page):
    mark = page.locator("figure:visible .chart [data-tip^='jax_scan_vjp,']").first
    mark.hover()
    expect(page.locator("#tip")).to_have_text(mark.get_attribute("data-tip"))
    page.mouse.move(1, 1)
    expect(page.locator("#tip")).to_be_hidden()


def test_without_its_script_there_is_one_answer_and_then_the_table(folder, visit):
    page = visit(folder / "index.html", java_script_enabled=False)
    expect(page.locator(".lead:visible")).to_have_count(1)
    expect(page.locator("form:visible")).to_have_count(0)
    expect(page.locator("[data-shape]:visible p").first).to_contain_text(f"Training at {FIRST}")
    assert page.locator("[data-shape]:visible tbody tr").count() > 2
    page = visit(folder / "rows.html", java_script_enabled=False)
    assert rows(page).count() == page.locator("tbody.row").count() > 500


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("index.html", 390, "dark"),
        ("rows.html", 1280, "light"),
        pytest.param("index.html", 1280, "light", marks=pytest.mark.nightly),
        pytest.param("rows.html", 390, "dark", marks=pytest.mark.nightly),
    ],
)
def test_it_fits_and_axe_finds_nothing(folder, visit, name, width, scheme):
    few = "#mode=backward&track=tuned" if name == "rows.html" else ""  # axe looks at each row that is shown
    page = visit(folder / name, few, width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [chart.bounding_box() for chart in page.locator(".chart:visible svg").all()]
    assert len(boxes) >= 3 or name == "rows.html"
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert width > 390 or page.locator(".wide.all.cut").count() == 0  # the verdict is the last column
    assert violations(page) == []
    if boxes:
        page.locator(".chart:visible svg[role=img]").first.evaluate("svg => svg.removeAttribute('aria-label')")
        assert len(violations(page, "svg-img-alt")) == 1
