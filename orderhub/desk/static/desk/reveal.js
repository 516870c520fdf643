// Personal data in clear goes after a minute, and at once when the page is hidden or left.

let timer = 0;

function maskAgain() {
  clearInterval(timer);
  timer = 0;
  const shown = document.querySelector("[data-masks-again]");
  if (!shown) return;
  // Gone from the page first; the masked box comes from the server.
  shown.querySelectorAll("mark").forEach((mark) => { mark.textContent = "***"; });
  window.htmx.ajax("GET", shown.dataset.url, { target: "#receiver", swap: "outerHTML", select: "#receiver" });
}

function begin() {
  const shown = document.querySelector("[data-masks-again]");
  clearInterval(timer);
  timer = 0;
  if (!shown) return;
  const place = shown.querySelector("[data-seconds]");
  const end = Date.now() + 1000 * Number(shown.dataset.masksAgain);
  timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) maskAgain();
    else place.textContent = place.dataset.seconds.replace("%s", left);
  }, 500);
}

export function startReveal() {
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt?.id === "receiver" || event.detail.target?.id === "receiver" || event.detail.target?.id === "card") begin();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) maskAgain(); });
  window.addEventListener("pagehide", maskAgain);
}
