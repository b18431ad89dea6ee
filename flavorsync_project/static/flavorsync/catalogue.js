// Searches, sorts and changes pages without a reload. Without this script the form and the links do the same.

const form = document.querySelector("#search");
const WAIT = 250; // milliseconds after the last key

let waiting = 0;
let asked = null;

async function show(url, { remember = true } = {}) {
  asked?.abort();
  const asking = (asked = new AbortController());
  const results = document.querySelector("#results");
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { signal: asking.signal });
    if (!answer.ok) throw new Error(`the catalogue answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.closest?.("#results") ? document.activeElement.dataset.sort : null;
    results.replaceWith(page.querySelector("#results"));
    document.querySelector("#count").textContent = page.querySelector("#count").textContent;
    if (focused) document.querySelector(`[data-sort="${focused}"]`)?.focus();
    if (remember) history.pushState(null, "", url);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url); // let the browser show what is wrong
  }
}

function address() {
  const query = new URLSearchParams(new FormData(form));
  const given = [...query].filter(([, value]) => value !== "");
  const current = new URLSearchParams(location.search).get("sort");
  if (current) given.push(["sort", current]);
  const text = new URLSearchParams(given).toString();
  return location.pathname + (text && `?${text}`);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  show(address());
});

form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => show(address()), event.target.type === "search" ? WAIT : 0);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#results a[data-stays]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  show(link.href);
});

window.addEventListener("popstate", () => location.reload());
