const form = document.querySelector("form");
const wrong = document.querySelector("#wrong");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: form.token.value }),
  });
  if (answer.ok) location.reload();
  wrong.hidden = answer.ok;
  wrong.textContent = answer.status === 429 ? wrong.dataset.wait : wrong.dataset.text;
});
