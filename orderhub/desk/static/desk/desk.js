// The desk's behaviour: keyboard, theme, clocks, copying, re-masking, connection. No foreign code but htmx.
import { startKeyboard } from "./keyboard.js";
import { startReveal } from "./reveal.js";
import { startClocks } from "./clocks.js";
import { startConnection } from "./connection.js";
import { startNews } from "./news.js";

const root = document.documentElement;

function switchTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

let toastTimer = 0;
function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; }, 1600);
}

export async function copyFrom(id) {
  const source = document.getElementById(id);
  if (!source) return;
  const text = source.textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http in the office network has no clipboard interface; a selection does.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(document.getElementById("toast").dataset.copied);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-switch], [data-opens], [data-closes], [data-copies]");
  if (!target) return;
  if ("themeSwitch" in target.dataset) switchTheme();
  else if (target.dataset.opens) document.getElementById(target.dataset.opens).showModal();
  else if (target.dataset.closes) document.getElementById(target.dataset.closes).hidden = true;
  else copyFrom(target.dataset.copies);
});

startKeyboard(copyFrom);
startReveal();
startClocks();
startConnection();
startNews();
