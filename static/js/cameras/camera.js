// The webcam: opening it, remembering which one was chosen, and what kind of trouble an error is.

const CHOICE = "omil.webcam";
// `resizeMode: none` keeps the browser from cropping a wide picture to the wished-for size.
const WISHES = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, resizeMode: { ideal: "none" } };

const PROBLEMS = {
  NotAllowedError: "denied",
  PermissionDeniedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  DevicesNotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  TrackStartError: "busy",
  AbortError: "busy",
};

export function problemOf(error) {
  return PROBLEMS[error?.name] ?? "unknown";
}

/** Trouble that is known before asking for the camera, or null. */
export function standingProblem() {
  if (!window.isSecureContext) return "insecure";
  return navigator.mediaDevices?.getUserMedia ? null : "unsupported";
}

function remembered() {
  try {
    return localStorage.getItem(CHOICE) ?? "";
  } catch {
    return ""; // Storage may be forbidden.
  }
}

export function remember(deviceId) {
  try {
    localStorage.setItem(CHOICE, deviceId);
  } catch {
    return; // The choice then holds until the page is left.
  }
}

/** A stream of the chosen webcam, else of the remembered one, else of any. */
export async function open(chosen = "") {
  const deviceId = chosen || remembered();
  if (deviceId) {
    try {
      return await navigator.mediaDevices.getUserMedia({ video: { ...WISHES, deviceId: { exact: deviceId } } });
    } catch (error) {
      if (chosen || problemOf(error) !== "missing") throw error;
    }
  }
  return navigator.mediaDevices.getUserMedia({ video: WISHES });
}

export function close(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Webcams as {id, label}; labels are empty until the camera has been allowed once. */
export async function list() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "videoinput" && device.deviceId)
    .map((device) => ({ id: device.deviceId, label: device.label }));
}
