// Opens a cell of the map in a dialog. Without this script it opens as a page.

const dialog = document.querySelector("#cell");

document.querySelector(".map")?.addEventListener("click", async (event) => {
  const link = event.target.closest("td a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
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
  } catch {
    location.assign(link.href); // let the browser show what is wrong
  }
});
