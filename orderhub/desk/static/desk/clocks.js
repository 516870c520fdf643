// Counts clocks down without asking the server.

function two(number) {
  return String(number).padStart(2, "0");
}

function text(clock, seconds) {
  const size = Math.abs(seconds);
  const hours = Math.floor(size / 3600);
  if (hours >= 72) return null;
  const rest = size % 3600;
  const span = hours ? `${hours}:${two(Math.floor(rest / 60))}:${two(rest % 60)}` : `${two(Math.floor(rest / 60))}:${two(rest % 60)}`;
  return (seconds < 0 ? clock.dataset.late : clock.dataset.left).replace("%s", span);
}

function tick() {
  if (document.hidden) return;
  for (const clock of document.querySelectorAll("time.clock")) {
    const seconds = Math.round((Date.parse(clock.dateTime) - Date.now()) / 1000);
    const now = text(clock, seconds);
    if (now !== null && now !== clock.textContent) clock.textContent = now;
    clock.classList.toggle("late", seconds < 0);
  }
}

export function startClocks() {
  setInterval(tick, 1000);
}
