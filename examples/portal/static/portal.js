// Makes quicker what also works without it: opening a level of the tree, searching while somebody types, and reaching the
// summary of mistakes.
"use strict";

(() => {
  /** Loads a page or a part of one. */
  async function load(path) {
    const response = await fetch(path, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  function message(text, role) {
    const line = document.createElement("p");
    line.className = "muted";
    line.setAttribute("role", role);
    line.textContent = text;
    return line;
  }

  // The tree: a level is loaded when it is opened for the first time.
  async function toggle(link) {
    const below = document.getElementById(link.getAttribute("aria-controls"));
    const isOpen = link.getAttribute("aria-expanded") === "true";
    link.setAttribute("aria-expanded", String(!isOpen));
    below.hidden = isOpen;
    if (isOpen || below.querySelector("ul")) return;
    below.setAttribute("aria-busy", "true");
    below.replaceChildren(message("Loading …", "status"));
    try {
      below.replaceChildren(...(await load(link.dataset.children)).body.children);
    } catch {
      below.replaceChildren(message("The subgroups could not be loaded. Close and open again to try once more.", "alert"));
    }
    below.removeAttribute("aria-busy");
  }

  async function more(link) {
    const item = link.closest("li");
    item.setAttribute("aria-busy", "true");
    try {
      const list = (await load(link.dataset.more)).body.querySelector("ul");
      const items = [...list.children];
      item.replaceWith(...items);
      items[0]?.querySelector("a")?.focus();
    } catch {
      item.append(message("More could not be loaded.", "alert"));
      item.removeAttribute("aria-busy");
    }
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a[data-children], a[data-more]");
    if (!link) return;
    event.preventDefault();
    if (link.dataset.children) toggle(link);
    else more(link);
  });

  // A link with the role of a button answers to the space bar, too.
  document.addEventListener("keydown", (event) => {
    const link = event.key === " " ? event.target.closest('a[role="button"]') : null;
    if (!link) return;
    event.preventDefault();
    link.click();
  });

  // Choosing: what is ticked moves to the chosen ones, and the rest is searched while somebody types.
  for (const form of document.querySelectorAll("form[data-choose]")) {
    const input = form.querySelector('input[type="search"]');
    const chosen = form.querySelector("#chosen");
    const found = form.querySelector("#found");
    const list = chosen.querySelector("ul");
    let timer = 0;
    let latest = 0;

    const showNone = () => {
      chosen.querySelector("[data-none]").hidden = list.children.length > 0;
    };

    form.addEventListener("change", (event) => {
      const box = event.target;
      if (box.type !== "checkbox" || !box.checked || chosen.contains(box)) return;
      list.append(box.closest("li"));
      box.focus();
      showNone();
    });

    const search = async () => {
      const turn = ++latest;
      const path = new URL(form.dataset.choose, location.href);
      path.searchParams.set("q", input.value);
      found.setAttribute("aria-busy", "true");
      try {
        const fresh = (await load(path)).querySelector("#found");
        if (turn !== latest) return;
        for (const box of list.querySelectorAll("input")) fresh.querySelector(`#${CSS.escape(box.id)}`)?.closest("li").remove();
        found.replaceChildren(...fresh.children);
      } catch {
        if (turn === latest) found.replaceChildren(message("The search failed. Press Search to try again.", "alert"));
      }
      if (turn === latest) found.removeAttribute("aria-busy");
    };

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, 200);
    });
    // Enter searches. Without this, it would send the form with its first button.
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      clearTimeout(timer);
      search();
    });
  }

  // The message after a change is shown once, and not again after a reload.
  const own = new URL(location.href);
  if (own.searchParams.has("done")) {
    own.searchParams.delete("done");
    history.replaceState(history.state, "", own);
  }

  // The first mistake is read out and reached at once.
  document.querySelector("[data-focus]")?.focus();
})();
