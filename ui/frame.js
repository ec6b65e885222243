// On every page: keys, coming back when the studio does, and words that a reload must not lose.
(() => {
  const ways = __WAYS__;
  const language = "__LANGUAGE__";
  const LOOK = 3000;
  // Gradio empties a field once more after it has put it on the page.
  const SETTLE = 500;
  let going = false;
  let since = null;

  const find = (name) => document.querySelector(name);
  const typing = (one) => one.matches("input, textarea, select, [contenteditable]");

  // Gradio says that the page is in the browser's language; it is in the one it was served in.
  const page = document.documentElement;
  const speak = () => {
    if (page.lang !== language) page.lang = language;
  };
  new MutationObserver(speak).observe(page, { attributeFilter: ["lang"] });
  speak();

  // Objects: the viewer is a megabyte, and comes when there is one to show.
  const objects = document.getElementsByTagName("model-viewer");
  const watching = new MutationObserver(() => {
    if (!objects.length) return;
    watching.disconnect();
    import("/vendor/model-viewer.min.js");
  });
  watching.observe(page, { childList: true, subtree: true });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const make = find("#make");
      if (make?.checkVisibility({ visibilityProperty: true })) make.click();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (going && ways[event.key]) location.href = ways[event.key];
    going = event.key === "g";
    if (event.key === "?") find("#keys")?.showModal();
    if (event.key === "/") {
      const prompt = find("#field-prompt textarea");
      if (!prompt) return;
      prompt.focus();
      event.preventDefault();
    }
  });

  // Gradio drops a file that is too large without a word.
  const most = Number(find("meta[name=largest-file]").content);
  const weigh = (event) => {
    const source = event.dataTransfer ?? event.clipboardData ?? event.target;
    const files = [...(source.files ?? [])];
    if (!files.length) return;
    const large = files.some((file) => file.size > most);
    find("#large").hidden = !large;
    if (!large) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === "change") event.target.value = "";
    find("#large").scrollIntoView({ block: "center" });
  };
  for (const way of ["change", "drop", "paste"]) document.addEventListener(way, weigh, true);

  // Words and examples that are clicked go into the prompt, as if they were typed.
  document.addEventListener("click", (event) => {
    const chip = event.target.closest(".chip[data-text]");
    const prompt = chip && find("#field-prompt textarea");
    if (!prompt) return;
    const { type, text } = chip.dataset;
    const before = prompt.value.trimEnd();
    prompt.value = type === "append" && before ? `${before} ${text}` : text;
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    if (type === "replace") prompt.focus();
  });

  // A studio that was started again knows nothing of this page; its jobs go on, and so do we.
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("/api/v1/health", { cache: "no-store" });
      if (!answer.ok) throw answer;
      const { boot } = await answer.json();
      if (since !== null && boot !== since) location.reload();
      since = boot;
      find("#lost")?.setAttribute("hidden", "");
    } catch {
      find("#lost")?.removeAttribute("hidden");
    }
  };
  setInterval(look, LOOK);
  document.addEventListener("visibilitychange", look);
  look();

  // The tour: once for each browser, and whenever the address asks for it.
  let at = -1;
  const step = (section, next) => {
    const steps = [...section.querySelectorAll("p")];
    document.querySelector(".toured")?.classList.remove("toured");
    at = next;
    section.hidden = at >= steps.length;
    steps.forEach((one, place) => (one.hidden = place !== at));
    if (section.hidden) localStorage.setItem("toured", "yes");
    else find(steps[at].dataset.at)?.classList.add("toured");
  };
  document.addEventListener("click", (event) => {
    const press = event.target.closest("[data-tour]");
    if (press) step(press.closest(".tour"), press.dataset.tour === "next" ? at + 1 : Infinity);
  });
  const begin = new MutationObserver(() => {
    const section = find(".tour");
    if (!section || !find("#field-prompt")) return;
    begin.disconnect();
    if (!localStorage.getItem("toured") || location.search.includes("tour")) step(section, 0);
  });
  begin.observe(document, { childList: true, subtree: true });

  // What was typed, for this tab alone; in Gradio's form, or in ours until that is there.
  const place = `typed ${location.pathname}`;
  document.addEventListener("input", (event) => {
    if (event.target.matches("#field-prompt textarea, #early textarea"))
      sessionStorage.setItem(place, event.target.value);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "early") return;
    event.preventDefault();
    event.target.querySelector("button").disabled = true;
  });
  const takeOver = (prompt) => {
    const early = find("#early");
    const typed = sessionStorage.getItem(place);
    if (typed && !prompt.value && !location.search) {
      prompt.value = typed;
      prompt.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (!early) return;
    const writing = early.contains(document.activeElement);
    early.remove();
    if (writing) prompt.focus();
    if (early.querySelector("button").disabled) requestAnimationFrame(() => find("#make").click());
  };
  const restore = new MutationObserver(() => {
    const prompt = find("#field-prompt textarea");
    if (!prompt) return;
    restore.disconnect();
    setTimeout(() => takeOver(prompt), SETTLE);
  });
  restore.observe(document, { childList: true, subtree: true });
})();
