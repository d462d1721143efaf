"use strict";
const $ = (query, inside = document) => inside.querySelector(query);
const $$ = (query, inside = document) => [...inside.querySelectorAll(query)];

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
