keepDrawn(element, props, watch);

// The way out, for those who came in with a token.
element.addEventListener("click", async (event) => {
  if (!event.target.closest("button")) return;
  await fetch("/api/v1/session", { method: "DELETE" });
  location.href = "/";
});

// The choice of a language: kept in a cookie, and the page comes again in it.
element.addEventListener("change", (event) => {
  const { value, dataset } = event.target;
  document.cookie = `${dataset.cookie}=${value};path=/;max-age=31536000;samesite=strict`;
  location.reload();
});
