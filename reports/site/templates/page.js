// One choice of machine, shape, purpose and device decides everything on the page. It is in the address.
const choice = $("#choice"), like = $("[name=like]", choice), note = $("#nearest");
const selects = $$("select", choice);
const select = (name) => selects.find((each) => each.name === name);
const fits = (part) => selects.every(({ name, value }) => !(name in part.dataset) || part.dataset[name] === value);
const answers = $$("[data-shape]");
function choose() {
  for (const part of $$("[data-machine]")) part.hidden = !fits(part);
  for (const part of $$("section:has([data-machine])")) part.hidden = !$("[data-machine]:not([hidden]), .charts > figure", part);
  for (const option of select("shape").options) option.disabled = !measured().includes(option.value);
  $("#unmeasured").hidden = !answers.length || answers.some((part) => !part.hidden);
  $("#these").hidden = !answers.some((part) => !part.hidden);
  const asked = selects.map(({ name, value }) => [name === "shape" ? "problem" : name, value]);
  $("#these a").href = "rows.html#" + new URLSearchParams(asked);
}
// The shapes that were measured on the machine that is chosen, for what is chosen.
function measured() {
  const others = selects.filter(({ name }) => name !== "shape");
  return answers.filter(({ dataset }) => others.every(({ name, value }) => dataset[name] === value)).map(({ dataset }) => dataset.shape);
}
// The sizes in a text such as t100-b8-i128-h128, and what else is in it, such as float64.
const SIZE = /(?<![a-z])([tbih]) *=? *(\d+)/gi;
const sizes = (text) => Object.fromEntries([...text.matchAll(SIZE)].map(([, name, size]) => [name.toLowerCase(), Number(size)]));
const kind = (text) => text.replace(SIZE, "").split(/[^a-z0-9]+/i).filter(Boolean).join("-").toLowerCase();
// Choose the measured shape of that kind that is nearest to what was typed, in doublings of its sizes.
function ask() {
  note.hidden = !like.value;
  if (!like.value) return;
  const wanted = Object.entries(sizes(like.value));
  const apart = (shape) => wanted.reduce((sum, [name, size]) => sum + Math.abs(Math.log2(sizes(shape)[name] / size)), 0);
  if (!wanted.length) {
    note.textContent = "Write a shape like t100-b8-i128-h128: 100 time steps, batch 8, input size 128, hidden size 128.";
    return;
  }
  const [best = ""] = measured().filter((shape) => kind(shape) === kind(like.value)).sort((x, y) => apart(x) - apart(y));
  select("shape").value = best;
  const off = wanted.filter(([name, size]) => sizes(best)[name] !== size).map(([name, size]) => `${name.toUpperCase()} is ${sizes(best)[name]}, not ${size}`);
  const far = apart(best) >= 2 ? " That is far away: measure yours." : "";
  note.textContent = !best ? "Nothing like that was measured." : off.length ? `The nearest that was measured is ${[best, ...off].join("; ")}.${far}` : `${best} was measured.`;
}
function read() {
  const asked = new URLSearchParams(location.search);
  for (const each of selects) {
    const known = [...each.options].some((option) => option.value === asked.get(each.name));
    if (known) each.value = asked.get(each.name);
    else each.selectedIndex = 0;
  }
  choose();
}
let before = location.search;
choice.hidden = !answers.length;
choice.addEventListener("submit", (event) => event.preventDefault());
choice.addEventListener("change", (event) => {
  if (event.target.name === "shape") like.value = "";
  ask();
  choose();
  choice.scrollIntoView({ block: "start" }); // the answer and its table are below
  before = "?" + new URLSearchParams(selects.map(({ name, value }) => [name, value]));
  history.pushState(null, "", before);
});
addEventListener("popstate", () => {
  if (location.search === before) return;
  before = location.search;
  read();
});
read();
