// The page of videos: uploads, and the list, which is fetched anew when something changed.

import { Uploads } from "./uploads.js";
import { showProgress, watch } from "./watch.js";

const upload = document.querySelector("[data-upload]");
if (upload) new Uploads(upload);

watch(document.querySelector("#videos").dataset.socket, ({ event, video }) => {
  const row = document.querySelector(`[data-video="${video.id}"]`);
  if (event === "progress" && row?.dataset.state === video.state) showProgress(row, video);
  else document.body.dispatchEvent(new Event("omil:changed"));
});
