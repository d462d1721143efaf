"use strict";
// Filters, sorting and details. Without this script the page shows everything.
const form = document.querySelector("form");
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
addEventListener("hashchange", () => { if (!document.getElementById(location.hash.slice(1))) restore(); });

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
for (const button of document.querySelectorAll("thead th button")) {
  button.disabled = false;
  button.addEventListener("click", () => sort(button.closest("th")));
}
restore();
