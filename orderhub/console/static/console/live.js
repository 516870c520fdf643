// Pages that read themselves again: nothing is replaced by an answer that is not the page, and silence is said.
"use strict";

(() => {
    const stale = () => document.getElementById("stale");
    let opened = [];

    function tell(kind) {
        const box = stale();
        if (!box) return;
        box.textContent = box.dataset[kind].replace("%s", document.querySelector("[data-live]").dataset.at);
        box.hidden = false;
    }

    document.addEventListener("htmx:beforeSwap", (event) => {
        const target = event.detail.target;
        if (!target.matches("[data-live]")) return;
        const answer = event.detail.xhr;
        if (answer.status !== 200) return;
        if (!answer.responseText.includes(`id="${target.id}"`)) {
            event.detail.shouldSwap = false;
            tell("out");
        } else {
            opened = [...target.querySelectorAll("details[id][open]")].map((box) => box.id);
            if (stale()) stale().hidden = true;
        }
    });
    // What the person has opened stays open in the new part.
    document.addEventListener("htmx:afterSwap", () => {
        for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
        opened = [];
    });
    document.addEventListener("htmx:responseError", () => tell("away"));
    document.addEventListener("htmx:sendError", () => tell("away"));
    document.addEventListener("htmx:timeout", () => tell("away"));
    document.addEventListener("DOMContentLoaded", () => document.querySelector("dialog[data-shown]")?.showModal());
})();
