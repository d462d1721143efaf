// The table of all rows.
const form = $("#filters");
const search = $("input", form);
const MOST = 500; // more rows than anybody reads, and than a browser lays out at once
let most = MOST;
const table = $("#every");
const rows = $$("tbody.row", table).map((body) => ({ body, keys: { ...body.dataset }, text: (body.id + body.rows[0].textContent + $(".versions", body).textContent).toLowerCase() }));
for (const name of Object.keys(rows[0].keys)) {
  // a value is called what its cell says
  const words = new Map(rows.map(({ body, keys }) => [keys[name], $(`td.${name}`, body)?.textContent ?? keys[name]]));
  if (words.size < 2) continue;
  const part = document.createElement("label"), select = document.createElement("select");
  for (const [value, word] of [["", "all"], ...words]) select.add(new Option(word, value));
  select.name = name;
  part.append($(`th.${name}`, table)?.textContent ?? name, select);
  form.insertBefore(part, $("button", form));
}
const selects = $$("select", form);
function filter() {
  const wanted = selects.filter((select) => select.value).map((select) => [select.name, select.value]);
  const words = search.value.trim().toLowerCase().split(/\s+/);
  let left = 0;
  for (const row of rows) {
    const fits = wanted.every(([name, value]) => row.keys[name] === value) && words.every((word) => row.text.includes(word));
    left += fits;
    row.body.hidden = !fits || left > most;
  }
  $("output", form).textContent = `${Math.min(left, most)} of ${rows.length} rows shown`;
  $("#none").hidden = left > 0;
  $("#rest").hidden = left <= most;
  most = MOST;
}
function keep() {
  const filters = [...selects, search].filter((field) => field.value).map((field) => [field.name, field.value]);
  history.replaceState(null, "", "#" + new URLSearchParams(filters));
}
function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const select of selects) {
    const value = asked.get(select.name);
    select.value = [...select.options].some((option) => option.value === value) ? value : "";
  }
  search.value = asked.get("implementation") || "";
  filter();
}
function toggle(button, open = button.getAttribute("aria-expanded") !== "true") {
  const more = document.getElementById(button.getAttribute("aria-controls"));
  more.hidden = !open;
  const link = $("code a", more); // a text that cites the row needs its whole address
  if (open) link.textContent = link.href;
  button.setAttribute("aria-expanded", String(open));
}
// A row has an address of its own: the page opens it and goes there.
function reveal() {
  const body = named();
  if (!body || !body.classList.contains("row")) return;
  // its rivals stay, of all runs of the machine
  const kept = ["machine", "device", "problem", "workload", "mode"];
  for (const select of selects) select.value = kept.includes(select.name) ? body.dataset[select.name] : "";
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

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
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
form.addEventListener("input", () => {
  filter();
  // what is searched for is searched in all rows, if the chosen ones do not have it
  if (!$("#none").hidden && search.value) { for (const select of selects) select.value = ""; filter(); }
  keep();
});
$("button", form).addEventListener("click", () => { for (const field of [...selects, search]) field.value = ""; filter(); keep(); });
$("#rest button").addEventListener("click", () => { most = Infinity; filter(); });
const named = () => document.getElementById(location.hash.slice(1));
addEventListener("hashchange", () => { if (named()) reveal(); else restore(); });
restore();
reveal();
