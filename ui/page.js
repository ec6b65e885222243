// Runs once for each panel of work, with Gradio's `element`, `props`, `trigger` and `watch`.
// Previews arrive as raw RGB and are painted here; presses go to Python with what was pressed.

const paint = () => {
  for (const canvas of element.querySelectorAll("canvas[data-rgb]")) {
    if (canvas.painted === canvas.dataset.rgb) continue;
    const rgb = Uint8Array.from(atob(canvas.dataset.rgb), (letter) => letter.charCodeAt(0));
    const image = new ImageData(canvas.width, canvas.height);
    for (let pixel = 0; pixel < canvas.width * canvas.height; pixel++) {
      image.data.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
      image.data[4 * pixel + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.painted = canvas.dataset.rgb;
  }
  // Moments, as people here write them.
  for (const one of element.querySelectorAll("time[data-seconds]")) {
    one.textContent = new Date(one.dataset.seconds * 1000).toLocaleString();
  }
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  const { action, id, ask, value } = button.dataset;
  // What has a value is asked for another one; what has none, whether it is meant.
  const answer = ask === undefined || (value === undefined ? confirm(ask) : prompt(ask, value));
  if (answer === false || answer === null) return;
  trigger("click", { action, id, value: answer });
});

keepDrawn(element, props, watch, paint);
