// One search box, keyboard first: / focuses, arrows or j k choose, Enter opens, Esc goes back, ? shows the map.

const box = () => document.getElementById("q");
const desk = () => document.querySelector(".desk");
const hits = () => [...document.querySelectorAll("#hits .hit")];

let answered = "";
let opensFirst = false;

function choose(step) {
  const all = hits();
  if (!all.length) return;
  const at = all.findIndex((hit) => hit.classList.contains("on"));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length;
  mark(all[next]);
  all[next].scrollIntoView({ block: "nearest" });
}

function mark(chosen) {
  for (const hit of hits()) {
    const isOn = hit === chosen;
    hit.classList.toggle("on", isOn);
    hit.setAttribute("aria-selected", String(isOn));
  }
  if (chosen) box().setAttribute("aria-activedescendant", chosen.id);
  else box().removeAttribute("aria-activedescendant");
}

function openChosen() {
  const all = hits();
  const chosen = all.find((hit) => hit.classList.contains("on")) ?? all[0];
  if (!chosen) return;
  mark(chosen);
  chosen.click();
}

function back() {
  if (desk().classList.contains("opened") && matchMedia("(max-width: 760px)").matches) {
    desk().classList.remove("opened");
  } else {
    box().value = "";
    answered = "";
    window.htmx.trigger(box(), "ask");
  }
  box().focus();
}

function inField(event) {
  return event.target.closest("input:not(#q), textarea, select, dialog[open]");
}

function onKey(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || !box() || inField(event)) return;
  const inBox = event.target === box();
  const action = {
    ArrowDown: () => choose(1), ArrowUp: () => choose(-1), Escape: back,
    ...(inBox ? {} : {
      "/": () => { box().focus(); box().select(); }, j: () => choose(1), k: () => choose(-1),
      "?": () => document.getElementById("keys").showModal(),
    }),
  }[event.key];
  if (action) {
    event.preventDefault();
    action();
  } else if (!inBox && event.key === "Enter" && !event.target.closest("a, button, summary")) {
    openChosen();
  }
}

function onSubmit(event) {
  event.preventDefault();
  if (box().value === answered && hits().length) {
    openChosen();
    return;
  }
  // Faster than the answer: the first hit opens as soon as it is there.
  opensFirst = true;
  window.htmx.trigger(box(), "ask");
}

function onSwapped(event) {
  const target = event.detail.target;
  // One answer swaps results and card; it is told once for each of them.
  if (event.target !== target) return;
  if (target.id === "results") {
    answered = event.detail.requestConfig?.parameters?.get?.("q") ?? box().value;
    box().setAttribute("aria-expanded", String(hits().length > 0));
    box().removeAttribute("aria-activedescendant");
    const hit = document.querySelector("#card .card[data-opened]");
    if (hit) opened();
    else desk().classList.remove("opened");
    if (opensFirst && !hit) openChosen();
    opensFirst = false;
  }
  if (target.id === "card") opened();
}

function opened() {
  const card = document.querySelector("#card .card");
  if (!card) return;
  delete card.dataset.opened;
  desk().classList.add("opened");
  document.title = card.dataset.title;
  if (matchMedia("(max-width: 760px)").matches) window.scrollTo(0, 0);
}

export function startKeyboard(copyFrom) {
  if (!box()) return;
  document.addEventListener("keydown", onKey);
  document.addEventListener("keydown", (event) => {
    const sentence = document.querySelector(".sentence");
    const isFree = !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, textarea, dialog");
    if (event.key === "c" && isFree && sentence) copyFrom(sentence.id);
  });
  document.getElementById("search").addEventListener("submit", onSubmit);
  document.body.addEventListener("htmx:afterSwap", onSwapped);
  document.body.addEventListener("click", (event) => {
    const hit = event.target.closest(".hit");
    if (hit) mark(hit);
    if (event.target.closest("[data-back]")) {
      event.preventDefault();
      back();
    }
  });
}
