// Rows have a page of their own. An older link to one still leads there.
if (location.hash.includes("/") && !document.getElementById(location.hash.slice(1))) location.replace("rows.html" + location.hash);

// One choice of machine, shape, purpose and device decides everything on the page. It is in the address.
const choice = $("#choice"), like = $("[name=like]", choice), note = $("#nearest");
const selects = $$("select", choice);
const select = (name) => selects.find((each) => each.name === name);
const fits = (part) => selects.every(({ name, value }) => !(name in part.dataset) || part.dataset[name] === value);
const answers = $$("p[data-shape]");
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

// The sizes in a text such as t100-b8-i64-h256, and what else it asks for, such as bfloat16.
const SIZES = { t: "t|seq_len|sequence length|length|steps", b: "b|batch(?: size)?", i: "i|input(?:[ _]size)?", h: "h|hidden(?:[ _]size)?" };
const KINDS = { bfloat16: "bf(?:loat)?16", float16: "(?:fp?|float)16|half", float64: "(?:fp?|float)64|double", bi: "bi(?:directional)?", nobias: "no ?bias", var: "var", layers: "l(?:ayers)? ?=? ?[2-9]|[2-9] layers" };
const found = (text, words, after = "(?![a-z])") => text.match(new RegExp(`(?<![a-z])(?:${words})${after}`, "i"));
function sizes(text) {
  const known = Object.entries(SIZES).map(([name, words]) => [name, found(text, words, "\\s*[=:]?\\s*(\\d+)")]);
  return known.filter(([, match]) => match && Number(match[1])).map(([name, match]) => [name, Number(match[1])]);
}
const kind = (text) => Object.keys(KINDS).map((name) => found(text, KINDS[name]) && (name === "layers" ? found(text, KINDS[name])[0].replace(/\D/g, "") + " layers" : name)).filter(Boolean).join(", ");
// Of the shapes that are as near in what was typed, in doublings, the one that is nearest to the shape that is shown.
function nearest(text, shapes, shown) {
  const wanted = sizes(text), typed = wanted.map(([name]) => name);
  const rest = sizes(shown).filter(([name]) => !typed.includes(name));
  const apart = (shape, from) => from.reduce((sum, [name, size]) => sum + Math.abs(Math.log2((Object.fromEntries(sizes(shape))[name] ?? Infinity) / size)), 0);
  const nearer = (shape, best) => apart(shape, wanted) - apart(best, wanted) || apart(shape, rest) - apart(best, rest);
  return shapes.reduce((best, shape) => (best === null || nearer(shape, best) < 0 ? shape : best), null);
}
// By how much a shape differs from what was typed, such as `T is 64 for 5000`.
function distance(text, shape) {
  const there = Object.fromEntries(sizes(shape));
  const off = sizes(text).filter(([name, size]) => there[name] !== size);
  const far = off.some(([name, size]) => Math.abs(Math.log2(there[name] / size)) >= 2);
  const words = off.map(([name, size]) => `${name.toUpperCase()} is ${there[name]}, not ${size}`).join(", ");
  return (words && `: ${words}`) + (far ? ". That is far away: measure yours." : ".");
}
function ask() {
  const typed = like.value.trim(), shape = select("shape");
  note.hidden = !typed;
  if (!typed) return;
  if (!sizes(typed).length) { note.textContent = "We can't read this shape. Write it like t100-b8-i128-h128."; return; }
  const best = nearest(typed, measured().filter((each) => kind(each) === kind(typed)), shape.value);
  shape.value = best; // of none: nothing is chosen
  note.textContent = best ? `The nearest to ${typed} that was measured is ${best}${distance(typed, best)}` : `Nothing was measured here that is ${kind(typed) || "plain float32"}.`;
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
  answers.find((part) => !part.hidden)?.scrollIntoView({ block: "nearest" });
  before = "?" + new URLSearchParams(selects.map(({ name, value }) => [name, value]));
  history.pushState(null, "", before);
});
addEventListener("popstate", () => {
  if (location.search === before) return;
  before = location.search;
  read();
});
read();
