// The page is whole without this script. With it, the page follows what the monitor
// sees: it replaces only what differs, so that focus, selection, scroll positions and
// opened details stay as they are.
"use strict";
(() => {
  const silence = 20_000; // the monitor speaks every 5 s; after this long it is away
  const again = 5_000; // how soon to ask again when it refused
  const page = document.documentElement;
  const link = document.getElementById("link");
  const icon = document.getElementById("icon");

  // key is what a node is known by among its siblings, if it is known by anything.
  const key = (node) => (node.nodeType === 1 && (node.id || node.dataset.key)) || "";

  // morph makes a node like another of the same name.
  function morph(node, like) {
    if (node.nodeType !== 1) {
      if (node.data !== like.data) node.data = like.data;
      return;
    }
    if (key(node) && node.isEqualNode(like)) return;
    for (const { name } of [...node.attributes]) {
      if (!like.hasAttribute(name) && name !== "open") node.removeAttribute(name);
    }
    for (const { name, value } of like.attributes) {
      if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }
    const wanted = new Set([...like.children].map(key));
    for (const child of [...node.children]) {
      if (key(child) && !wanted.has(key(child))) child.remove();
    }
    const known = new Map([...node.children].map((child) => [key(child), child]));
    let next = node.firstChild;
    for (const child of [...like.childNodes]) {
      const name = key(child);
      let have = name ? known.get(name) : next && !key(next) ? next : undefined;
      if (have && have.nodeName !== child.nodeName) have = undefined;
      if (!have) {
        node.insertBefore(child, next);
        if (name) child.classList.add("new");
        continue;
      }
      known.delete(name);
      if (have === next) next = next.nextSibling;
      else if (node.moveBefore) node.moveBefore(have, next);
      else node.insertBefore(have, next);
      morph(have, child);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  function show(update) {
    if (update.build !== page.dataset.build) return location.reload();
    const focused = document.activeElement;
    for (const [id, html] of Object.entries(update.parts)) {
      const made = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
      morph(document.getElementById(id), made);
    }
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    if (document.title !== update.title) document.title = update.title;
    const file = `assets/icon-${update.state}.svg`;
    if (icon.getAttribute("href") !== file) icon.setAttribute("href", file);
  }

  function tell(state, text) {
    if (link.dataset.link === state) return;
    link.dataset.link = state;
    link.firstElementChild.textContent = text;
  }

  let source;
  let watch;
  let heard = new Date();

  function follow() {
    source?.close();
    source = new EventSource("live");
    source.onmessage = (event) => {
      alive();
      heard = new Date();
      tell("live", "Live");
      show(JSON.parse(event.data));
    };
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) wait(again); // refused: it does not ask again by itself
    };
    alive();
  }

  function lost() {
    tell("lost", `Not live: this is from ${heard.toLocaleTimeString()}. Asking again.`);
  }

  function wait(time) {
    clearTimeout(watch);
    watch = setTimeout(() => {
      lost();
      follow();
    }, time);
  }

  const alive = () => wait(silence);

  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details[open]");
    if (!open) return;
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
    open.open = false;
  });

  tell("wait", "Connecting");
  follow();
})();
