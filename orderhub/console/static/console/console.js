// The console's behaviour: keyboard, whole-row links, clocks, charts, reveal. No inline scripts, no foreign host.
"use strict";

const typing = () => /^(input|textarea|select)$/i.test(document.activeElement?.tagName) || document.activeElement?.isContentEditable;

function rows() {
    return [...document.querySelectorAll("table[data-rows] tbody tr")];
}

function moveTo(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("current"));
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    all[at]?.classList.remove("current");
    next.classList.add("current");
    next.scrollIntoView({ block: "nearest" });
    next.querySelector("a")?.focus({ preventScroll: true });
}

function goBack() {
    const back = document.querySelector("[data-back]");
    if (back) location.href = back.href;
}

const KEYS = {
    "/": () => document.querySelector("[data-hotkey='/']")?.focus(),
    j: () => moveTo(1),
    k: () => moveTo(-1),
    Enter: () => { const row = document.querySelector("tr.current[data-href]"); if (row) location.href = row.dataset.href; },
    x: () => document.querySelector("tr.current input.action-select")?.click(),
    "?": () => document.getElementById("key-map")?.showModal(),
    Escape: goBack,
    "[": () => document.querySelector("[data-previous-order]")?.click(),
    "]": () => document.querySelector("[data-next-order]")?.click(),
};

document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (typing()) {
        if (event.key === "Escape") document.activeElement.blur();
        return;
    }
    if (event.key === "Enter" && document.activeElement?.closest("a, button, summary")) return;
    const action = KEYS[event.key];
    if (action) {
        event.preventDefault();
        action();
    }
});

document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
        navigator.clipboard?.writeText(copy.dataset.copy).then(() => toast(copy.dataset.done));
        return;
    }
    const opener = event.target.closest("[data-open]");
    if (opener) {
        document.getElementById(opener.dataset.open)?.showModal();
        return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer) {
        closer.closest("dialog")?.close();
        return;
    }
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, label, select, summary") || String(getSelection())) return;
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else location.href = row.dataset.href;
});

document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-go]")) location.href = event.target.value || location.pathname;
});

/* A list copied from a table keeps its parts: a single-line box would glue the lines together. */
document.addEventListener("paste", (event) => {
    const box = event.target;
    const text = event.clipboardData?.getData("text") ?? "";
    if (!box.matches?.("input[data-many]") || !/[\r\n\t]/.test(text)) return;
    event.preventDefault();
    box.setRangeText(text.replace(/[\r\n\t]+/g, " ").trim(), box.selectionStart, box.selectionEnd, "end");
});

function toast(text) {
    const box = document.createElement("div");
    box.className = "toast";
    box.setAttribute("role", "status");
    box.textContent = text;
    document.body.append(box);
    setTimeout(() => box.remove(), 1800);
}

/* Clocks: the server writes the first text, the page keeps it true. */
function tick() {
    const two = (number) => String(number).padStart(2, "0");
    for (const clock of document.querySelectorAll("time.clock[data-left]")) {
        const seconds = Math.round((new Date(clock.dateTime) - Date.now()) / 1000);
        const size = Math.abs(seconds);
        const hours = Math.floor(size / 3600);
        if (hours >= 72) continue;
        const span = (hours ? `${hours}:` : "") + `${two(Math.floor((size % 3600) / 60))}:${two(size % 60)}`;
        clock.textContent = (seconds < 0 ? clock.dataset.late : clock.dataset.left).replace("%s", span);
        clock.classList.toggle("late", seconds < 0);
    }
}
setInterval(tick, 1000);

/* Numbers come after the page, so that no list waits for them. An action over all rows needs an exact one. */
async function fillCounts() {
    const list = document.querySelector("[data-counts]");
    if (!list || !list.querySelector("[data-view], [data-total]")) return;
    const answer = await fetch(list.dataset.counts + location.search, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    const counts = await answer.json();
    for (const [view, text] of Object.entries(counts.views)) {
        const box = list.querySelector(`[data-view="${view}"]`);
        if (box) box.textContent = text;
    }
    for (const box of list.querySelectorAll("[data-total]")) box.textContent = box.dataset.total.replace("%s", counts.total);
    if (!counts.is_exact) return;
    for (const box of list.querySelectorAll("[data-all]")) {
        box.textContent = box.dataset.all.replace("%s", counts.total);
        box.hidden = false;
    }
}

/* Charts: data comes as JSON in the page; colours come from the theme. */
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawChart(canvas) {
    const data = JSON.parse(document.getElementById(canvas.dataset.source).textContent);
    const datasets = data.series.map((series, at) => ({
        type: "bar", label: series.name, data: series.values, backgroundColor: css(`--chart-${(at % 7) + 1}`), stack: "orders", order: 2,
        barPercentage: 0.9, categoryPercentage: 0.9,
    }));
    if (data.threshold) {
        datasets.push({
            type: "line", label: data.threshold.name, data: data.labels.map(() => data.threshold.value), borderColor: css("--red"),
            borderDash: [5, 4], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0, order: 1, stack: "threshold",
        });
    }
    const scale = { grid: { color: css("--line") }, ticks: { color: css("--ink-3"), font: { size: 11 } }, border: { display: false } };
    canvas.hubChart?.destroy();
    canvas.hubChart = new Chart(canvas, {
        data: { labels: data.labels, datasets },
        options: {
            animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
            scales: { x: { ...scale, stacked: true, grid: { display: false }, ticks: { ...scale.ticks, maxRotation: 0 } }, y: { ...scale, stacked: true, beginAtZero: true, ticks: { ...scale.ticks, precision: 0 } } },
            plugins: { legend: { position: "bottom", labels: { color: css("--ink-2"), boxWidth: 10, boxHeight: 10, font: { size: 11 } } } },
        },
    });
}

function drawCharts() {
    document.querySelectorAll("canvas[data-source]").forEach(drawChart);
}

/* Personal data: shown for a minute, gone when the tab is hidden. */
function hideRevealed() {
    document.querySelectorAll("[data-revealed]").forEach((box) => box.replaceChildren());
    document.querySelectorAll("[data-reveal-form]").forEach((form) => form.classList.remove("hidden"));
}

async function reveal(form) {
    // A double click must not count twice against a quota.
    if (form.dataset.asking) return;
    form.dataset.asking = "1";
    const box = document.getElementById(form.dataset.target);
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), cache: "no-store", headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    delete form.dataset.asking;
    if (!answer) {
        box.textContent = form.dataset.failed;
        return;
    }
    const text = await answer.text();
    // A whole page is no piece of this one: the login page or, after a login elsewhere, an error page.
    if (answer.redirected || text.includes("<html")) {
        const isOut = answer.redirected || answer.headers.has("X-Form-Expired");
        box.textContent = isOut ? form.dataset.out : form.dataset.failed;
        return;
    }
    box.innerHTML = text;
    if (!answer.ok) return;
    form.reset();
    form.classList.add("hidden");
    clearTimeout(reveal.timer);
    reveal.timer = setTimeout(hideRevealed, 60_000);
}

document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-reveal-form]")) {
        event.preventDefault();
        reveal(event.target);
    } else if (event.target.matches("form[method=post]")) {
        // A double click must not send twice.
        if (event.target.dataset.sent) event.preventDefault();
        event.target.dataset.sent = "1";
    }
});
// A table that does not fit its box is moved inside it; the others keep their heads in view, which needs a box that shows all.
function fitTables() {
    for (const box of document.querySelectorAll(".table-wrap")) {
        box.classList.remove("wide");
        box.classList.toggle("wide", box.scrollWidth > box.clientWidth);
    }
}
addEventListener("resize", fitTables);
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
document.addEventListener("visibilitychange", () => { if (document.hidden) hideRevealed(); });

document.addEventListener("DOMContentLoaded", () => {
    // The theme's scroll areas are named in English unless told otherwise before they are made.
    const name = document.getElementById("key-map")?.dataset.scrollable;
    if (name) for (const area of document.querySelectorAll("[data-simplebar]")) area.setAttribute("data-simplebar-aria-label", name);
    drawCharts();
    tick();
    fillCounts();
    fitTables();
    document.fonts.ready.then(fitTables);
    new MutationObserver(drawCharts).observe(document.documentElement, { attributeFilter: ["class"] });
    document.body.addEventListener("htmx:afterSwap", drawCharts);
});
