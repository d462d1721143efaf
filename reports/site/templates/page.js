// One choice of machine, shape, purpose and device decides everything on the page. It is in the address.
const choice = $("#choice"), like = $("[name=like]", choice), note = $("#nearest");
const selects = $$("select", choice);
const select = (name) => selects.find((each) => each.name === name);
const fits = (part) => selects.every(({ name, value }) => !(name in part.dataset) || part.dataset[name] === value);
const answers = $$("[data-shape]");
let unread = false; // whether what was typed asks for no shape
const regions = $$("[data-batches]"), held = $$(".held");
function choose() {
  for (const part of $$("[data-machine]:not([data-batches], .held)")) part.hidden = !fits(part);
  const shapes = measured().map(({ dataset }) => dataset.shape);
  for (const option of select("shape").options) option.disabled = !shapes.includes(option.value);
  if (unread) for (const part of answers) part.hidden = true;
  document.body.classList.toggle("unread", unread);
  const shown = answers.find((part) => !part.hidden);
  const library = select("library")?.value;
  document.body.classList.toggle("asked", Boolean(like.value || library) || select("shape").selectedIndex > 0);
  document.body.classList.toggle("of-library", Boolean(library));
  $("#unmeasured").hidden = !answers.length || Boolean(shown) || unread;
  $("#these").hidden = !shown;
  const asked = selects.filter(({ name }) => name !== "library").map(({ name, value }) => [name === "shape" ? "problem" : name, value]);
  $("#these a").href = "rows.html#" + new URLSearchParams(asked);
  if (shown) drawBars(shown);
  const rows = shown ? $$("[data-library]", shown) : [];
  const fitting = library && shown ? rowsOf(library, shown) : rows;
  for (const row of rows) row.hidden = !fitting.includes(row) && !row.matches(".baseline");
  for (const part of regions.flatMap((region) => $$("span", region))) part.hidden = Boolean(library) && part.dataset.of !== library;
  const estimate = regions.flatMap((region) => (region.hidden ? [] : $$("span", region))).find((span) => !span.hidden);
  for (const part of $$(".held .ranges")) part.hidden = !estimate || estimate.matches(".no-range");
  sayBestOf(library, shown, fitting[0]);
  const code = $("#unmeasured code");
  if (!like.value) code.textContent = `nox -s bench -- --problem ${select("shape").value} --mode ${select("mode").value}`;
}
const rowsOf = (library, part) => $$("[data-library]", part).filter((row) => row.dataset.library.split(" ").includes(library));
// Where a library is chosen, what is said at a shape is its best row, in place of the best of all.
function sayBestOf(library, shown, row) {
  const words = $("#library");
  words.hidden = !library || !shown;
  if (!shown) return;
  $(".advice", shown).hidden = Boolean(library);
  if (words.hidden) return;
  const name = select("library").selectedOptions[0].text, purpose = select("mode").selectedOptions[0].text;
  const where = `${purpose} at ${shown.dataset.shape}`;
  const [best, ratio, verdict] = row ? [...row.cells].map((cell) => cell.textContent) : [];
  const times = $("thead th:nth-child(2)", shown)?.textContent.replace(/ \[.*/, "");
  const { shape, machine } = shown.dataset;
  const elsewhere = answers.find((part) => part.dataset.shape === shape && part.dataset.machine === machine && rowsOf(library, part).length);
  const other = elsewhere && [...select("mode").options].find(({ value }) => value === elsewhere.dataset.mode);
  const instead = other ? ` Choose ${other.text}: it has that.` : "";
  words.textContent = row ? `${where}, in ${name}: ${best}, ${ratio} ${times}${verdict ? `, ${verdict}` : ""}.` : `${where}: nothing in ${name} was measured.${instead}`;
}
// Each ratio of a table gets a bar from 1 to it, and a line for its interval, on a logarithmic scale from 1/8 to 8.
const SVG = "http://www.w3.org/2000/svg", WIDTH = 132, MIDDLE = WIDTH / 2;
const place = (ratio) => MIDDLE + Math.max(-1, Math.min(1, Math.log(ratio) / Math.log(8))) * (MIDDLE - 2);
function drawBars(part) {
  for (const row of $$("tbody tr", part)) {
    const cell = row.cells[1];
    const [ratio, low, high] = (cell.textContent.match(/[\d.]+(?:e[-+]?\d+)?/g) || []).map(Number);
    if ($("svg", cell) || !ratio) continue;
    const drawing = document.createElementNS(SVG, "svg");
    const add = (name, sizes) => {
      const mark = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(sizes)) mark.setAttribute(key, value);
      drawing.append(mark);
    };
    for (const [key, value] of [["width", WIDTH], ["height", 14], ["class", "bar"], ["aria-hidden", "true"]]) drawing.setAttribute(key, value);
    const ends = [place(1), place(ratio)].sort((x, y) => x - y);
    add("rect", { x: ends[0], y: 3, width: ends[1] - ends[0], height: 8, class: ratio < 1 ? "less" : "more" });
    if (high) add("rect", { x: place(low), y: 6, width: Math.max(1, place(high) - place(low)), height: 2, class: "interval" });
    add("rect", { x: MIDDLE - 0.5, y: 0, width: 1, height: 14, class: "interval" });
    cell.append(drawing);
  }
}
// The answers at all shapes that were measured on the machine that is chosen, for what is chosen.
function measured() {
  const others = selects.filter(({ name }) => name !== "shape");
  return answers.filter(({ dataset }) => others.every(({ name, value }) => !(name in dataset) || dataset[name] === value));
}
// The sizes in an id such as t100-b8-i128-h128, or in words such as: batch 32, 100 steps, hidden size 256.
const SIZES = {
  t: ["steps", "(?:time[ -]?)?steps?|seq(?:[ _]?len(?:gth)?)?|sequence(?: length)?|length|t"],
  b: ["batch", "batch(?:[ _]?size)?|rows?|b"],
  i: ["input size", "input(?:[ _]?size)?|features?|i"],
  h: ["hidden size", "hidden(?:[ _]?(?:size|units?))?|units?|h"],
};
const PATTERNS = Object.entries(SIZES).map(([name, [, words]]) => [name, [
  new RegExp(`(?<![a-z])(?:${words})[ =:]*(\\d+)`, "i"),
  new RegExp(`(?<![a-z0-9])(\\d+)[ -]*(?:${words})(?![a-z])`, "i"),
]]);
const OPTION = /^(l\d+|bi|nobias|p(?!50$|99$)\d+|var|even|first|drop|resets|float64|bfloat16|float16|autocast|int8)$/;
function sizes(text) {
  const found = {};
  const numbers = text.match(/\d+/g) ?? [];
  if (numbers.length === 4 && !/[a-z]/i.test(text)) return Object.fromEntries(Object.keys(SIZES).map((name, k) => [name, Number(numbers[k])]));
  for (const [name, patterns] of PATTERNS) {
    const match = patterns.map((pattern) => text.match(pattern)).find(Boolean);
    if (match) found[name] = Number(match[1]);
  }
  return found;
}
// What people call options, and how an id has them.
const CALLED = [[/(\d+)[ -]*layers?/g, " l$1 "], [/layers? *(\d+)/g, " l$1 "], [/bidir\w*/g, " bi "], [/packed|variable\w*|unequal\w*|different lengths?/g, " var "], [/batch[ -]*first/g, " first "], [/dropout/g, " drop "], [/\bdouble\b|fp64/g, " float64 "], [/\bbf16\b/g, " bfloat16 "], [/\bhalf\b|fp16/g, " float16 "]];
const named = (text) => CALLED.reduce((words, [said, meant]) => words.replace(said, meant), text.toLowerCase());
const kind = (text) => named(text).split(/[^a-z0-9]+/).filter((word) => OPTION.test(word)).join("-");
const wordsOf = (text) => text.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word.length > 2);
const chosenBy = ["machine", "mode", "library"].map(select).filter(Boolean);
const isOf = (word, { text, value }) => Boolean(value) && (word === value || text.toLowerCase().startsWith(word));
// The machine, the purpose and the library that are named, by a word with which an option begins: amd, inference, jax.
function choicesIn(text) {
  const ofParts = partsIn(text).flatMap((link) => wordsOf(link.textContent));
  const words = wordsOf(text).filter((word) => !ofParts.includes(word));
  const found = [];
  for (const each of chosenBy) {
    const option = [...each.options].find((option) => words.some((word) => isOf(word, option)));
    if (option) found.push([each, option.value]);
  }
  return found;
}
// The words that are no size, no option and no choice, such as a library that was not measured.
function unknownIn(text) {
  const sizeless = PATTERNS.flatMap(([, patterns]) => patterns).reduce((words, pattern) => words.replace(pattern, " "), text);
  const options = chosenBy.flatMap((each) => [...each.options]);
  const words = wordsOf(named(sizeless)).filter((word) => !OPTION.test(word) && !/^(and|with|for|rows?|size|lstm)$|\d/.test(word));
  return words.filter((word) => !options.some((option) => option.text.toLowerCase().includes(word)));
}
// The parts of this page that are named, by a word of the links to them: packed, compile, p99. Who gives sizes asks of these.
function partsIn(text) {
  if (Object.keys(sizes(text)).length) return [];
  const words = wordsOf(text);
  return $$("header nav a[href^='#']").filter((link) => wordsOf(link.textContent).some((word) => words.includes(word)));
}
// The answer of a part of this page, with the link to it.
function answerOf(link) {
  const section = $(link.hash).closest("section");
  const answer = $$("p", section).find((part) => fits(part.closest("[data-machine]") ?? part));
  const both = document.createElement("span");
  both.append(answer?.textContent ?? "", " ", link.cloneNode(true));
  return both;
}
// A size that was not typed is that of the first published shape, and counts little in what is near.
const USUAL = { t: 64, b: 16, h: 128 };
const FAR = 2; // a size that is more than four times another is far from it
const WEIGHTS = { t: 0.5, b: 1, i: 0.25, h: 1 }; // by how much a size moves the ratios
const FEW = 4; // fewer LSTMs than these say little of a shape
const listed = (words) => new Intl.ListFormat("en-GB").format(words);
const ends = (pair) => [...new Set(pair.split(" "))].join(" and ");
const between = (size, pair) => { const [low, high] = pair.split(" ").map(Number); return low <= size && size <= high; };
// Say what the map advises around the sizes, or choose the measured shape that is nearest to what was typed.
function ask() {
  for (const part of [...regions, ...held]) part.hidden = true;
  note.hidden = !like.value;
  unread = false;
  if (!like.value) return;
  const typed = sizes(like.value), options = kind(like.value);
  const isShape = Object.keys(typed).length > 0;
  const parts = partsIn(like.value).map(answerOf);
  unread = parts.length > 0 && !options;
  if (unread || (!isShape && !options && choicesIn(like.value).length)) return say(parts);
  if ((!isShape && !options) || Object.values(typed).includes(0) || /-\s*\d+\s*(,|$)/.test(like.value)) {
    unread = true;
    return say(["Write sizes of 1 or more, such as: batch 32, seq 100, hidden 256. Or t100-b32-i256-h256."], "warning");
  }
  const asked = { i: typed.h ?? 128, ...USUAL, ...typed };
  const steps = (shape, name) => Math.abs(Math.log2(sizes(shape)[name] / asked[name]));
  const names = Object.keys(SIZES);
  const apart = (shape) => names.reduce((sum, name) => sum + WEIGHTS[name] * steps(shape, name) * (name in typed ? 1 : 0.1), 0);
  const alike = measured().filter(({ dataset }) => kind(dataset.shape) === options);
  const ranked = alike.map(({ dataset: { shape, compared } }) => ({ shape, rank: apart(shape) && apart(shape) + (compared < FEW) }));
  const best = ranked.sort((x, y) => x.rank - y.rank)[0]?.shape ?? "";
  select("shape").value = best;
  const problem = names.map((name) => name + asked[name]).join("-") + (options ? `-${options}` : "");
  const command = `nox -s bench -- --problem ${problem}`;
  $("#unmeasured code").textContent = command;
  const taken = Object.keys(USUAL).filter((name) => !(name in typed));
  const unknown = unknownIn(like.value);
  const ignored = unknown.length ? `Not understood: ${listed(unknown)}.` : "";
  const start = taken.length ? `You gave no ${listed(taken.map((name) => SIZES[name][0]))}: taken as ${listed(taken.map((name) => `${asked[name]}`))}.` : "";
  const first = [...parts, ignored, start];
  if (!best) return say([...first, `Nothing like that was measured. Measure it: ${command}`]);
  if (best === problem) return say([...first, `${best} was measured.`]);
  const region = options ? undefined : regions.find((part) => fits(part) && between(asked.b, part.dataset.batches) && between(asked.h, part.dataset.hiddens) && between(asked.t, part.dataset.steps));
  for (const part of region ? [region, ...held.filter(fits)] : []) part.hidden = false;
  const around = region && `Estimated from batch ${ends(region.dataset.batches)}, hidden size ${ends(region.dataset.hiddens)}, at ${region.dataset.at} steps.`;
  const far = !region && names.some((name) => name !== "i" && steps(best, name) > FAR);
  const off = names.filter((name) => sizes(best)[name] !== asked[name]).map((name) => `${SIZES[name][0]} ${sizes(best)[name]}, not ${asked[name]}`);
  const nearest = `${far ? "Far from all that was measured, so it may not hold. " : ""}Below is the nearest that was measured, ${best}: ${off.join("; ")}.`;
  say([...first, around, nearest, `To be sure, measure it: ${command}`], far ? "warning" : "soft");
}
function say(lines, look = "soft") {
  note.className = look;
  const items = lines.filter(Boolean).map((line) => {
    const item = document.createElement("li");
    item.append(line);
    return item;
  });
  note.replaceChildren(...items);
}
function read() {
  const asked = new URLSearchParams(location.search);
  for (const each of selects) {
    const known = [...each.options].some((option) => option.value === asked.get(each.name));
    if (known) each.value = asked.get(each.name);
    else each.selectedIndex = 0;
  }
  like.value = asked.get("like") || "";
  ask();
  choose();
}
let before = location.search;
choice.hidden = !answers.length;
function chooseTyped() {
  for (const [each, value] of choicesIn(like.value)) each.value = value;
}
let waiting;
const narrow = matchMedia("(max-width: 52rem)");
like.addEventListener("input", () => { // an answer follows what is typed
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    chooseTyped();
    ask();
    choose();
  }, 400);
});
choice.addEventListener("submit", (event) => event.preventDefault());
choice.addEventListener("change", (event) => {
  clearTimeout(waiting);
  if (event.target.name === "shape") like.value = "";
  if (event.target === like) chooseTyped();
  ask();
  choose();
  if (narrow.matches) choice.scrollIntoView({ block: "start" }); // the answer and its table are below
  const chosen = [...selects, like].filter(({ value }) => value);
  before = "?" + new URLSearchParams(chosen.map(({ name, value }) => [name, value]));
  history.pushState(null, "", before);
});
addEventListener("popstate", () => {
  if (location.search === before) return;
  before = location.search;
  read();
});
read();
