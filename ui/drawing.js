// On every page: how our panels are redrawn. Gradio matches what it redraws by place alone: one
// card more, and a press meant for one job hits another. Here whatever has a name stays the same
// node, wherever it goes, so that presses, the focus, players and what was unfolded outlive it.
(() => {
  const name = (node) => {
    const { key, job, artifact, action, id } = node.dataset ?? {};
    const own = node.id || key || job || artifact || (action && `${action} ${id}`);
    return `${node.nodeName} ${own || (node.className ?? "")}`;
  };

  const patch = (node, wanted) => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data !== wanted.data) node.data = wanted.data;
      return;
    }
    const names = [node, wanted].flatMap((one) => one.getAttributeNames?.() ?? []);
    for (const attribute of new Set(names)) {
      const value = wanted.getAttribute(attribute);
      // Whether details are unfolded is for whoever reads them.
      if (value === node.getAttribute(attribute) || attribute === "open") continue;
      if (value === null) node.removeAttribute(attribute);
      else node.setAttribute(attribute, value);
      // What somebody typed or ticked gives way to what is new.
      if (attribute === "value" && node.matches("input")) node.value = value;
      if (attribute === "checked") node.checked = value !== null;
    }
    const kept = new Map();
    for (const child of node.childNodes) {
      kept.set(name(child), [...(kept.get(name(child)) ?? []), child]);
    }
    const pairs = [...wanted.childNodes].map((child) => [child, kept.get(name(child))?.shift()]);
    for (const gone of [...kept.values()].flat()) gone.remove();
    let here = node.firstChild;
    for (const [child, before] of pairs) {
      if (before) patch(before, child);
      if (before && before === here) here = here.nextSibling;
      else node.insertBefore(before ?? child, here);
    }
  };

  let pressed = false;
  const panels = [];
  document.addEventListener("pointerdown", (event) => (pressed = event.button === 0), true);
  // The click comes after the pointer is up.
  const release = () => setTimeout(() => ((pressed = false), panels.forEach((draw) => draw())));
  for (const end of ["pointerup", "pointercancel", "contextmenu"]) {
    document.addEventListener(end, release, true);
  }

  // Draw what Gradio's `props` say into its `element`, now and whenever they change; then `settle`.
  window.keepDrawn = (element, props, watch, settle = () => {}) => {
    const inside = document.createElement("div");
    element.replaceChildren(inside);
    let shown = null;
    const draw = () => {
      // Nothing moves between the two halves of a press.
      if (pressed || props.value === shown) return;
      shown = props.value;
      const wanted = document.createElement("template");
      wanted.innerHTML = shown ?? "";
      const focused = document.activeElement;
      patch(inside, wanted.content);
      // A node that is put elsewhere loses the focus.
      if (inside.contains(focused) && focused !== document.activeElement) focused.focus();
      settle();
    };
    panels.push(draw);
    watch("value", draw);
    draw();
  };
})();
