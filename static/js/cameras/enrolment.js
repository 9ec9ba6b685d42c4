// Copies the enrolment link that the admin shows once; without a clipboard it selects the link to be copied by hand.
const link = document.querySelector("[data-link]");
const button = document.querySelector("[data-copy]");

link.addEventListener("focus", () => link.select());
button.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(link.value);
    button.textContent = button.dataset.copied;
  } catch {
    link.focus();
  }
});
