"use strict";
// Choices, filters, sorting and details. Without this script the page shows everything.
const $ = (query, inside = document) => inside.querySelector(query);
const $$ = (query, inside = document) => [...inside.querySelectorAll(query)];

// One choice of shape, purpose and device decides the sentence, the map, the charts and the rows. It is in the address.
const choice = $("#choice");
const PURPOSES = { train_step: "training", forward: "inference" };
function offer(into, before, name, label, options, first = "") {
  const part = document.createElement("label"), select = document.createElement("select");
  for (const [value, text] of options) select.add(new Option(text, value));
  select.name = name;
  select.dataset.first = first;
  part.append(label, select);
  into.insertBefore(part, before);
}
const different = (parts, name) => [...new Set(parts.map((part) => part[name]))];
if (choice) {
  const advice = $$("p[data-shape]").map((part) => part.dataset);
  const modes = Object.entries(PURPOSES).filter(([mode]) => different(advice, "mode").includes(mode));
  offer(choice, null, "shape", "measured shape", different(advice, "shape").map((shape) => [shape, shape]));
  offer(choice, null, "mode", "for", modes);
  for (const [name, label] of [["machine", "on"], ["device", "with"]]) {
    const values = different(advice, name);
    if (values.length > 1) offer(choice, null, name, label, values.map((value) => [value, value]));
  }
}
const chosen = () => (choice ? $$("select", choice) : []);
const sentence = () => $("p[data-shape]:not([hidden])");
// The measured shape whose sizes differ least, in doublings, from those of a text such as t100-b8-i64-h256.
const SIZES = { t: "t|seq_len|sequence length|length|steps", b: "b|batch(?: size)?", i: "i|input(?:[ _]size)?", h: "h|hidden(?:[ _]size)?" };
function sizes(text) {
  const found = Object.entries(SIZES).map(([name, words]) => [name, text.match(new RegExp(`\\b(?:${words})\\s*[=:]?\\s*(\\d+)`, "i"))]);
  return Object.fromEntries(found.filter(([, match]) => match).map(([name, match]) => [name, Number(match[1])]));
}
// Of shapes that are as near in what was typed, the one that is nearest to the shape that is shown.
function nearest(text, shapes, shown) {
  const known = (of) => Object.entries(sizes(of)).filter(([, size]) => size > 0);
  const wanted = known(text), typed = wanted.map(([name]) => name);
  const rest = known(shown).filter(([name]) => !typed.includes(name));
  const apart = (shape, from) => from.reduce((sum, [name, size]) => sum + Math.abs(Math.log2((sizes(shape)[name] ?? Infinity) / size)), 0);
  const nearer = (shape, best) => apart(shape, wanted) - apart(best, wanted) || apart(shape, rest) - apart(best, rest);
  return wanted.length ? shapes.reduce((best, shape) => (nearer(shape, best) < 0 ? shape : best)) : null;
}
// A shape that this machine lacks is shown on one that has it.
function follow() {
  const said = $$("p[data-shape]").filter((part) => chosen().every((select) => select.name === "machine" || part.dataset[select.name] === select.value));
  const machine = chosen().find((select) => select.name === "machine");
  if (machine && said.length && !said.some((part) => part.dataset.machine === machine.value)) machine.value = said[0].dataset.machine;
}
function choose() {
  for (const part of $$("[data-shape], .map, figure[data-mode], p[data-machine]")) {
    part.hidden = chosen().some((select) => select.name in part.dataset && part.dataset[select.name] !== select.value);
  }
  $("#unmeasured").hidden = Boolean(sentence());
  for (const button of $$("[data-choose]")) button.setAttribute("aria-pressed", String(button.dataset.choose === $("[name=shape]", choice).value));
  for (const note of $$(".unmeasured")) note.hidden = $$("figure", note.parentElement).some((figure) => !figure.hidden);
}
function narrow() {
  for (const select of chosen()) {
    const same = selects.find((other) => other.name === (select.name === "shape" ? "problem" : select.name));
    if (same) same.value = select.value;
  }
  const run = selects.find((other) => other.name === "run");
  if (run && sentence()) run.value = sentence().dataset.run;
  filter();
}

// The table of all rows.
const form = $("#filters");
const search = $("input", form);
const MOST = 500; // more rows than anybody reads, and than a browser lays out at once
let most = MOST;
const table = $("#every");
const rows = $$("tbody.row", table).map((body) => ({ body, keys: { ...body.dataset }, name: $("th", body).textContent.toLowerCase() }));
// What each filter starts with, where the run that heads the page has it: most readers come for this.
const head = rows.length ? rows[0].keys : {};
const FILTERS = { machine: head.machine, run: head.run, device: "", problem: "", workload: "sequence", mode: "train_step", track: "" };
for (const [name, first] of Object.entries(FILTERS)) {
  const values = different(rows.map((row) => row.keys), name);
  const known = rows.some((row) => row.keys.run === head.run && row.keys[name] === first);
  if (values.length > 1) offer(form, $("label:last-of-type", form), name, name, [["", "all"], ...values.map((value) => [value, value])], known ? first : "");
}
const selects = $$("select", form);
function filter() {
  const wanted = selects.filter((select) => select.value).map((select) => [select.name, select.value]);
  const text = search.value.trim().toLowerCase();
  let left = 0;
  for (const row of rows) {
    const fits = wanted.every(([name, value]) => row.keys[name] === value) && row.name.includes(text);
    left += fits;
    row.body.hidden = !fits || left > most;
  }
  $("output", form).textContent = `${Math.min(left, most)} of ${rows.length} rows shown`;
  $("#none").hidden = left > 0;
  $("#rest").hidden = left <= most;
  most = MOST;
}
function address() {
  const filters = [...selects, search].filter((field) => field.value).map((field) => [field.name, field.value]);
  return "#" + (new URLSearchParams(filters).toString() || "all");
}
function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = [...selects, search].some((field) => asked.has(field.name)) || location.hash === "#all";
  for (const select of selects) {
    const value = known ? asked.get(select.name) || "" : select.dataset.first;
    select.value = [...select.options].some((option) => option.value === value) ? value : select.dataset.first;
  }
  search.value = (known && asked.get("implementation")) || "";
  if (!known && location.search) narrow();
  filter();
  return known;
}
function toggle(button, open = button.getAttribute("aria-expanded") !== "true") {
  document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
  button.setAttribute("aria-expanded", String(open));
}
// A row has an address of its own: the page opens it and goes there.
function reveal() {
  const body = named();
  if (!body || !body.classList.contains("row")) return;
  for (const select of selects) select.value = select.name === "track" ? "" : body.dataset[select.name] ?? "";
  search.value = "";
  filter();
  const button = $("th button", body);
  toggle(button, true);
  button.scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
}
function sort(header) {
  const down = header.getAttribute("aria-sort") === "ascending";
  const column = header.cellIndex;
  for (const other of $$("thead th", table)) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  for (const row of rows) {
    const cell = row.body.rows[0].cells[column];
    row.key = cell ? cell.dataset.value ?? cell.textContent.trim() : "";
  }
  rows.sort(({ key: x }, { key: y }) => {
    if (x === "" || y === "") return (x === "") - (y === ""); // a row without a value comes last in both directions
    const order = Number.isNaN(Number(x)) || Number.isNaN(Number(y)) ? x.localeCompare(y) : x - y;
    return down ? -order : order;
  });
  table.append(...rows.map((row) => row.body));
}

for (const each of [form, choice]) {
  if (!each) continue;
  each.hidden = false;
  each.addEventListener("submit", (event) => event.preventDefault());
}
for (const { body } of rows) {
  const button = $("th button", body);
  button.disabled = false;
  toggle(button, false);
}
table.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && button.closest("thead")) sort(button.closest("th"));
  else if (button) toggle(button);
  else if (event.target.closest("tr:not(.more)") && event.target.closest("tbody") && !String(getSelection())) toggle($("th button", event.target.closest("tbody")));
});
for (const button of $$("thead button", table)) button.disabled = false;
const keep = () => history.replaceState(null, "", location.search + address());
form.addEventListener("input", () => { filter(); keep(); });
$("button", form).addEventListener("click", () => { for (const field of [...selects, search]) field.value = ""; filter(); keep(); });
$("#rest button").addEventListener("click", () => { most = Infinity; filter(); });
const named = () => document.getElementById(location.hash.slice(1));
addEventListener("hashchange", () => { if (named()) reveal(); else restore(); });
if (choice) {
  const read = () => {
    const asked = new URLSearchParams(location.search);
    for (const select of chosen()) {
      const known = [...select.options].some((option) => option.value === asked.get(select.name));
      if (known) select.value = asked.get(select.name);
      else select.selectedIndex = 0;
    }
    choose();
  };
  const changed = () => {
    choose();
    narrow();
    before = "?" + new URLSearchParams(chosen().map((select) => [select.name, select.value]));
    history.pushState(null, "", before);
  };
  choice.addEventListener("change", (event) => {
    const like = $("[name=like]", choice), shape = $("[name=shape]", choice);
    const typed = like.value.trim(), note = $("#nearest");
    if (event.target === like && typed) {
      const found = nearest(typed, [...shape.options].map((option) => option.value), shape.value);
      shape.value = found ?? shape.value;
      note.textContent = found ? `Of what was measured, ${found} is the nearest to ${typed}.` : "We can't read this shape. Write it like t100-b8-i128-h128.";
    } else if (event.target === shape) like.value = "";
    note.hidden = !like.value.trim();
    if (event.target === like || event.target === shape) follow();
    changed();
  });
  for (const button of $$("[data-choose]")) {
    button.disabled = false;
    button.addEventListener("click", () => { $("[name=shape]", choice).value = button.dataset.choose; follow(); changed(); });
  }
  let before = location.search;
  addEventListener("popstate", () => {
    if (location.search === before) return;
    before = location.search;
    read();
    restore();
  });
  read();
}
restore();
reveal();

// What goes on beyond the right edge fades out there.
for (const wide of $$(".wide")) {
  const look = () => wide.classList.toggle("cut", wide.scrollWidth - wide.clientWidth - wide.scrollLeft > 4);
  new ResizeObserver(look).observe(wide);
  wide.addEventListener("scroll", look, { passive: true });
}

// Paper can't be opened.
let closed = [];
addEventListener("beforeprint", () => { closed = $$("details:not([open])"); for (const each of closed) each.open = true; });
addEventListener("afterprint", () => { for (const each of closed) each.open = false; });

// A mark of a chart says its numbers under the pointer.
const tip = $("#tip");
addEventListener("pointerover", (event) => {
  const mark = event.target.closest?.("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const box = mark.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8)) + scrollX}px`;
  tip.style.top = `${box.bottom + 6 + scrollY}px`;
});
