// The learner's webcam, and pictures of it as JPEG.

const LONGEST_PX = 416;
const QUALITY = 0.8;
const WISHES = { audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } } };

/** Shows the webcam in this element; rejects where there is none or the user refuses. */
export async function open(video) {
  const stream = await navigator.mediaDevices.getUserMedia(WISHES);
  video.srcObject = stream;
  await video.play();
  return stream;
}

export function close(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export class Shutter {
  #canvas = document.createElement("canvas");

  /** The present picture, unmirrored, as an ArrayBuffer; null while there is none. */
  async take(video) {
    const [width, height] = [video.videoWidth, video.videoHeight];
    if (!width || !height) return null;
    const scale = Math.min(1, LONGEST_PX / Math.max(width, height));
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, this.#canvas.width, this.#canvas.height);
    const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return blob && blob.arrayBuffer();
  }
}
