"use strict";
// Filters, sorting and details. Without this script the page shows everything.
const form = document.querySelector("#filters");
const selects = [...form.querySelectorAll("select")];
const parts = [...document.querySelectorAll("[data-filter]")];

function shown(part) {
  return selects.every((select) => !select.value || !(select.name in part.dataset) || part.dataset[select.name] === select.value);
}
function filter() {
  for (const part of parts) part.hidden = !shown(part);
  const tables = [...document.querySelectorAll("section.benchmark")];
  for (const table of tables) if (!table.hidden) table.hidden = [...table.querySelectorAll("tbody")].every((body) => body.hidden);
  const left = tables.filter((table) => !table.hidden).length;
  form.querySelector("output").textContent = `${left} of ${tables.length} tables shown`;
  document.querySelector("#none").hidden = left > 0;
}
function keep() {
  const chosen = new URLSearchParams(selects.filter((select) => select.value).map((select) => [select.name, select.value]));
  history.replaceState(null, "", "#" + (chosen.toString() || "all"));
}
function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = selects.some((select) => asked.has(select.name)) || location.hash === "#all";
  for (const select of selects) {
    const value = known ? asked.get(select.name) || "" : select.dataset.first;
    select.value = [...select.options].some((option) => option.value === value) ? value : select.dataset.first;
  }
  filter();
}
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => { filter(); keep(); });
form.querySelector("button").addEventListener("click", () => { for (const select of selects) select.value = ""; filter(); keep(); });
addEventListener("hashchange", () => { if (!document.getElementById(location.hash.slice(1))) restore(); else reveal(); });

// A row has an address of its own: the page shows its table, opens it and goes there.
function reveal() {
  const more = document.getElementById(location.hash.slice(1));
  if (!more || !more.classList.contains("more")) return;
  const table = more.closest("section.benchmark");
  for (const select of selects) select.value = table.dataset[select.name] ?? "";
  filter();
  const button = document.querySelector(`[aria-controls="${more.id}"]`);
  if (more.hidden) toggle(button);
  button.scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
}

// The choice of shape and purpose is in the address, so that its sentence can be linked to.
const choice = document.querySelector("#choice");
function advise() {
  const chosen = [...choice.querySelectorAll("select")];
  for (const part of document.querySelectorAll("[data-shape], .map")) part.hidden = chosen.some((select) => select.name in part.dataset && part.dataset[select.name] !== select.value);
}
function follow() {
  for (const select of choice.querySelectorAll("select")) {
    const same = selects.find((other) => other.name === (select.name === "shape" ? "problem" : select.name));
    if (same) same.value = select.value;
  }
  filter();
}
if (choice) {
  const asked = new URLSearchParams(location.search);
  for (const select of choice.querySelectorAll("select")) if ([...select.options].some((option) => option.value === asked.get(select.name))) select.value = asked.get(select.name);
  choice.hidden = false;
  choice.addEventListener("submit", (event) => event.preventDefault());
  const choose = () => {
    advise();
    follow();
    history.replaceState(null, "", "?" + new URLSearchParams(new FormData(choice)));
  };
  choice.addEventListener("change", choose);
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.disabled = false;
    button.addEventListener("click", () => { choice.querySelector("[name=shape]").value = button.dataset.choose; choose(); });
  }
}

function toggle(button) {
  const more = document.getElementById(button.getAttribute("aria-controls"));
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
}
for (const button of document.querySelectorAll("tbody th button")) {
  document.getElementById(button.getAttribute("aria-controls")).hidden = true;
  button.disabled = false;
  button.addEventListener("click", () => toggle(button));
  button.closest("tr").addEventListener("click", (event) => { if (!event.target.closest("button, a") && !String(getSelection())) toggle(button); });
}

function sort(header) {
  const table = header.closest("table");
  const down = header.getAttribute("aria-sort") === "ascending";
  const column = header.cellIndex;
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => { if (column && row.classList.contains("failed")) return ""; const cell = row.cells[column]; return cell ? cell.dataset.value ?? cell.textContent.trim() : ""; };
  for (const body of table.tBodies) {
    const rows = [...body.querySelectorAll("tr.row")];
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // a row without a value comes last in both directions
      const order = Number.isNaN(Number(x)) || Number.isNaN(Number(y)) ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    };
    for (const row of rows.sort(compare)) body.append(row, document.getElementById(row.dataset.more));
  }
}
for (const button of document.querySelectorAll(".benchmark thead th button")) {
  button.disabled = false;
  button.addEventListener("click", () => sort(button.closest("th")));
}
restore();
if (choice) {
  advise();
  if (location.search && !location.hash) follow();
}
reveal();
