// The bytes and messages of both sockets; the server's side is cameras/consumers.py and detections/messages.py.

export const HEADER_BYTES = 16;
const VERSION = 1;
const JPEG = 0;

/** A frame as one message: version, codec, mask version, sequence number, capture time (server's Unix seconds), JPEG. */
export function encodeFrame({ seq, capturedAt, jpeg, maskVersion = 0 }) {
  const message = new Uint8Array(HEADER_BYTES + jpeg.byteLength);
  const header = new DataView(message.buffer);
  header.setUint8(0, VERSION);
  header.setUint8(1, JPEG);
  header.setUint16(2, maskVersion); // 0: no masks are in the picture.
  header.setUint32(4, seq);
  header.setFloat64(8, capturedAt);
  message.set(new Uint8Array(jpeg), HEADER_BYTES);
  return message;
}

/** A live picture: a length-prefixed slug, a frame's header, the JPEG. Null if it is none. */
export function decodePicture(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 1) return null;
  const start = 1 + view.getUint8(0);
  if (view.byteLength <= start + HEADER_BYTES || view.getUint8(start) !== VERSION || view.getUint8(start + 1) !== JPEG) {
    return null;
  }
  return {
    camera: new TextDecoder().decode(new Uint8Array(buffer, 1, start - 1)),
    seq: view.getUint32(start + 4),
    capturedAt: view.getFloat64(start + 8),
    jpeg: new Uint8Array(buffer, start + HEADER_BYTES),
  };
}

/** A JSON message with a type, or null. */
export function decodeMessage(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

/** A stream's name: 128 random bits in hex. */
export function newStream() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function socketUrl(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}
