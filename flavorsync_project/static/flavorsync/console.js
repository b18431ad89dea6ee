// Keeps the times on a page right while it is open. Without this script they are right when the page is loaded.

const UNITS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

function relative(at) {
  const seconds = (Date.now() - at) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? [];
  if (!unit) return "just now";
  const count = Math.floor(Math.abs(seconds) / size);
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime][title]")) {
    const at = Date.parse(time.dateTime);
    if (!Number.isNaN(at)) time.textContent = relative(at);
  }
}, 60000);
