// Shows the progress of a synchronisation run, and in the end all that it found, without a reload.

const WAIT = 1000; // milliseconds between two looks
const run = document.querySelector("#run");
const bar = document.querySelector("#bar");

function show(progress) {
  const state = document.querySelector("#state");
  state.textContent = progress.state;
  state.className = `badge ${progress.colour}`;
  document.querySelector("#count").textContent = progress.count;
  bar.setAttribute("aria-valuenow", progress.done);
  bar.setAttribute("aria-valuemax", progress.total);
  bar.querySelector("progress").max = progress.total || 1;
  bar.querySelector("progress").value = progress.done;
  for (const [node, words] of Object.entries(progress.nodes)) {
    const cell = document.querySelector(`[data-node="${node}"]`);
    if (cell) cell.textContent = words;
  }
}

async function showEnd() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  run.replaceChildren(...page.querySelector("#run").childNodes);
  run.dataset.ended = "";
}

async function look() {
  try {
    const answer = await fetch(run.dataset.progress);
    if (answer.ok && !answer.redirected) {
      const progress = await answer.json();
      show(progress);
      if (progress.ended) return await showEnd();
    } else if (answer.status < 500) {
      return; // signed out, or the run is gone
    }
  } catch {
    // The server did not answer; try again.
  }
  setTimeout(look, WAIT);
}

if (!("ended" in run.dataset)) setTimeout(look, WAIT);
