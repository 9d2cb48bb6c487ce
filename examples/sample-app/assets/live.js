// Follows what the server sends for a part of the page. Without this script the page shows what was there when it was loaded.
"use strict";

const MOST_ROWS = 200;

for (const bar of document.querySelectorAll("[data-follow]")) follow(bar);

function follow(bar) {
  const target = document.getElementById(bar.dataset.target);
  const status = bar.querySelector("[role=status]");
  const button = bar.querySelector("button");
  const address = new URL(bar.dataset.follow, location.href);
  let source = null;

  const say = (text) => { if (status.textContent !== text) status.textContent = text; };

  function open() {
    source = new EventSource(address);
    source.onopen = () => say("Kept up to date while it is open.");
    source.onerror = () => {
      button.hidden = source.readyState === EventSource.CLOSED;
      say(button.hidden ? "Not followed any more. Reload the page." : "Connecting again ...");
    };
    source.addEventListener("row", (event) => { remember(event); insert(event.data); });
    source.addEventListener("whole", (event) => { target.innerHTML = event.data; });
    source.addEventListener("end", (event) => { source.close(); say(event.data); button.hidden = true; });
    button.textContent = "Pause";
  }

  // What a pause missed is sent when it ends.
  function remember(event) {
    if (event.lastEventId) address.searchParams.set("seen", event.lastEventId);
  }

  function insert(text) {
    const template = document.createElement("template");
    template.innerHTML = text;
    const row = template.content.firstElementChild;
    // An entry that the page showed before it had its number.
    document.getElementById(row.id)?.remove();
    row.classList.add("fresh");
    target.prepend(row);
    while (target.children.length > MOST_ROWS) target.lastElementChild.remove();
  }

  button.addEventListener("click", () => {
    if (source === null) return open();
    source.close();
    source = null;
    say("Paused.");
    button.textContent = "Follow";
  });
  bar.hidden = false;
  open();
}
