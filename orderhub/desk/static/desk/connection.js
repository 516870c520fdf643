// Says in words when the hub does not answer; what was typed stays, and a search goes on when the line is back.

const offline = () => document.getElementById("offline");
const failure = () => document.getElementById("failure");
let unanswered = false;

function fail(kind) {
  const place = failure();
  place.querySelector("span").textContent = place.dataset[kind];
  for (const link of place.querySelectorAll("a")) link.hidden = link.dataset.for !== kind;
  place.hidden = false;
}

function onError(event) {
  const answer = event.detail.xhr;
  const denied = answer?.getResponseHeader("X-Form-Expired") ? "stale" : "denied";
  fail({ 403: denied, 404: "missing" }[answer?.status] ?? "failed");
}

function onLost() {
  unanswered = true;
  if (navigator.onLine) fail("failed");
  else offline().hidden = false;
}

function goOn() {
  offline().hidden = true;
  failure().hidden = true;
  const box = document.getElementById("q");
  if (unanswered && box?.value) window.htmx.trigger(box, "ask");
  unanswered = false;
}

// A session that ended answers with the login page; it must not be put into the results.
function beforeSwap(event) {
  const address = event.detail.xhr?.responseURL ?? "";
  if (address.includes("/login/")) {
    event.detail.shouldSwap = false;
    fail("expired");
  } else if (event.detail.xhr?.status < 400) {
    failure().hidden = true;
  }
}

export function startConnection() {
  window.addEventListener("offline", () => { offline().hidden = false; });
  window.addEventListener("online", goOn);
  document.body.addEventListener("htmx:responseError", onError);
  document.body.addEventListener("htmx:sendError", onLost);
  document.body.addEventListener("htmx:timeout", onLost);
  document.body.addEventListener("htmx:beforeSwap", beforeSwap);
  if (!navigator.onLine) offline().hidden = false;
}
