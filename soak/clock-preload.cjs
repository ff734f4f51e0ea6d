// Loaded into the supervisor by NODE_OPTIONS: its wall clock is off by what the file OPAMP_SOAK_CLOCK says, in
// milliseconds. The monotonic clock is left alone, as a kernel leaves it.
const fs = require("node:fs");

const file = process.env.OPAMP_SOAK_CLOCK ?? "";
const realNow = Date.now;
let offset = 0;
let readAt = Number.NEGATIVE_INFINITY;

Date.now = () => {
  const at = performance.now();
  if (at - readAt > 50) {
    readAt = at;
    try {
      offset = Number(fs.readFileSync(file, "utf8")) || 0;
    } catch {
      offset = 0;
    }
  }
  return realNow() + offset;
};
