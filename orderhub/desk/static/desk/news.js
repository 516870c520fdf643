// An open card asks now and then whether its order is still as it says; a card that nobody sees does not.

const SECONDS = 20;

function look() {
  const say = document.querySelector("#card .say");
  if (say && !document.hidden && navigator.onLine) window.htmx.trigger(say, "look");
}

export function startNews() {
  setInterval(look, SECONDS * 1000);
  document.addEventListener("visibilitychange", look);
}
