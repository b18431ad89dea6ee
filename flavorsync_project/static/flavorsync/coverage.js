// Opens a cell of the map in a dialog, under the address of its page, and moves from cell to cell by the arrow keys.
// Without this script a cell opens as a page, and each cell is a stop of the Tab key.

const dialog = document.querySelector("#cell");
const map = document.querySelector(".map");
const HERE = location.pathname + location.search;
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

async function open(link) {
  try {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const heading = document.createElement("h2");
    heading.textContent = page.querySelector("#content h1").textContent;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(heading, page.querySelector("#cell-content"), close);
    dialog.showModal();
    history.replaceState(null, "", link.href); // its own page, for whoever keeps or sends the address
  } catch {
    location.assign(link.href); // let the browser show what is wrong
  }
}

// Of all cells one is a stop of the Tab key: the first, and later the one that was last at.
function stopAt(link) {
  map.querySelector('td a[tabindex="0"]')?.setAttribute("tabindex", "-1");
  link.tabIndex = 0;
}

function cellAt(row, column) {
  return map.querySelector("tbody").rows[row]?.cells[column]?.querySelector("a");
}

map?.addEventListener("click", (event) => {
  const link = event.target.closest("td a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open(link);
});

map?.addEventListener("keydown", (event) => {
  const cell = event.target.closest("td");
  const step = STEPS[event.key];
  if (!cell || !step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const next = cellAt(cell.parentElement.sectionRowIndex + step[0], cell.cellIndex + step[1]);
  if (next?.closest("td")) next.focus();
});

map?.addEventListener("focusin", (event) => {
  const link = event.target.closest("td a");
  if (link) stopAt(link);
});

dialog?.addEventListener("close", () => history.replaceState(null, "", HERE));

if (map) {
  for (const link of map.querySelectorAll("td a")) link.tabIndex = -1;
  stopAt(map.querySelector("td a"));
}
