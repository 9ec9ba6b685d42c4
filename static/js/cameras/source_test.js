// "Test this source" beside a camera's address: shows the first picture that comes from it, or says what is wrong.

const template = document.querySelector("[data-source-test]");
const field = document.getElementById("id_source");

async function ask(url, button) {
  const form = new FormData();
  form.set("source", field.value);
  form.set("tested", template.dataset.camera);
  form.set("csrfmiddlewaretoken", button.form.elements.namedItem("csrfmiddlewaretoken").value);
  const response = await fetch(url, { method: "POST", body: form, headers: { Accept: "application/json" } });
  if (response.redirected || !(response.ok || response.status === 429)) throw new Error(response.status);
  return response.json();
}

function set() {
  const part = template.content.firstElementChild.cloneNode(true);
  const [button, said, image] = ["button", "said", "picture"].map((name) => part.querySelector(`[data-${name}]`));
  (field.closest(".flex-container") ?? field).parentElement.append(part);

  function show(state, text, picture = "") {
    part.dataset.state = state;
    said.textContent = text;
    image.hidden = !picture;
    if (picture) image.src = picture;
    else image.removeAttribute("src");
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    show("busy", said.dataset.busy);
    try {
      const { picture, problem } = await ask(template.dataset.url, button);
      show(picture ? "good" : "bad", problem || said.dataset.good, picture);
    } catch {
      show("bad", said.dataset.failed);
    }
    button.disabled = !field.value.trim();
  });
  field.addEventListener("input", () => {
    button.disabled = !field.value.trim();
    show("", "");
  });
  button.disabled = !field.value.trim();
}

if (template && field) set();
