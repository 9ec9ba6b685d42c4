// Draws a pose over a picture that is shown with object-fit: contain. Points are x, y (0 to 1) and confidence.

const BONES = [
  [5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16],
  [0, 5], [0, 6],
];
const LEAST = 0.3;
const COLOURS = { perfect: "#3ddc97", good: "#f2bb59", miss: "#ff8f84" };

/** Draws `points`, or nothing for null, over a picture of this size. */
export function draw(canvas, points, { width, height }, verdict) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, across, down);
  if (!points || !width || !height) return;
  const scale = Math.min(across / width, down / height);
  const [left, top] = [(across - width * scale) / 2, (down - height * scale) / 2];
  const place = ([x, y]) => [left + x * width * scale, top + y * height * scale];
  const isSeen = (index) => points[index][2] >= LEAST;
  context.lineWidth = Math.max(2, 3 * ratio);
  context.lineCap = "round";
  context.strokeStyle = context.fillStyle = COLOURS[verdict] ?? "#ffffff";
  for (const [from, to] of BONES) {
    if (!isSeen(from) || !isSeen(to)) continue;
    context.beginPath();
    context.moveTo(...place(points[from]));
    context.lineTo(...place(points[to]));
    context.stroke();
  }
  points.forEach((point, index) => {
    if (!isSeen(index)) return;
    context.beginPath();
    context.arc(...place(point), Math.max(2, 3 * ratio), 0, 2 * Math.PI);
    context.fill();
  });
}
