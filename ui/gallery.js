// Runs once for the bar and once for the gallery, with Gradio's `element`, `props`, `trigger` and
// `watch`.
// Whatever is pressed, ticked, chosen or typed goes to Python; here is what Python cannot know:
// which time zone, where the focus was, and what the address bar says.

const DAY = 86400;
let last = null;

const ask = (action, id = "", value = "") => trigger("click", { action, id, value });

const copy = async (button) => {
  const text = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = button.dataset.done;
  } catch {
    // Only pages on this machine or behind TLS may write there: it is ready for Ctrl C.
    getSelection().selectAllChildren(text);
  }
};

element.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-action]");
  if (!pressed || pressed.matches("form, input")) return;
  if (pressed.matches("a") && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
  event.preventDefault();
  const { action, id, value } = pressed.dataset;
  if (action === "copy") return copy(pressed);
  last = `[data-action="${action}"][data-id="${id}"]`;
  ask(action, id, value);
});

element.addEventListener("submit", (event) => {
  event.preventDefault();
  const { action, id } = event.target.dataset;
  const field = event.target.querySelector("input");
  last = action === "search" ? null : `form[data-action="${action}"][data-id="${id}"] input`;
  ask(action, id, field.value);
});

let ticking = null;
element.addEventListener("change", (event) => {
  const { action, filter } = event.target.dataset;
  if (action === "select") {
    // People tick faster than a server answers: all ticks of the page go together.
    clearTimeout(ticking);
    ticking = setTimeout(() => {
      const ticked = [...element.querySelectorAll("[data-action=select]:checked")];
      ask(action, "", ticked.map((one) => one.dataset.id).join(","));
    }, 120);
  }
  if (!filter) return;
  last = `[data-filter="${filter}"]`;
  let { value } = event.target;
  if (value && event.target.type === "date") {
    const day = new Date(`${value}T00:00`);
    if (filter === "until") day.setDate(day.getDate() + 1);
    value = String(day.getTime() / 1000);
  }
  ask("filter", filter, value);
});

let typing = null;
element.addEventListener("input", (event) => {
  if (event.target.id === "gallery-search") {
    clearTimeout(typing);
    typing = setTimeout(() => ask("search", "", event.target.value), 250);
  }
  if (event.target.dataset.split !== undefined) {
    const pair = element.querySelector(".pair");
    pair.style.setProperty("--split", `${event.target.value}%`);
  }
});

const settle = () => {
  for (const one of element.querySelectorAll("time[data-seconds]")) {
    one.textContent = new Date(one.dataset.seconds * 1000).toLocaleString();
  }
  for (const one of element.querySelectorAll("input[type=date][data-seconds]")) {
    const seconds = one.dataset.seconds - (one.dataset.filter === "until" ? DAY / 2 : 0);
    const day = new Date(seconds * 1000);
    day.setMinutes(day.getMinutes() - day.getTimezoneOffset());
    one.value = day.toISOString().slice(0, 10);
  }
  const shown = element.querySelector("[data-address]");
  if (shown) {
    const here = location.pathname + location.search;
    // An artifact is somewhere to come back from; a filter is not.
    const way = shown.dataset.address.includes("show=") ? "pushState" : "replaceState";
    if (shown.dataset.address !== here) history[way](null, "", shown.dataset.address);
  }
  if (last && document.activeElement === document.body) {
    const heading = element.querySelector(".detail h2");
    (element.querySelector(last) ?? heading)?.focus();
  }
};

if (element.closest("#gallery")) {
  addEventListener("popstate", () => ask("go", location.search));
}
keepDrawn(element, props, watch, settle);
