// Loaded into opamp-server by NODE_OPTIONS: each second one line with its longest stall to the file OPAMP_BENCH_STALLS.
const fs = require("node:fs");
const { monitorEventLoopDelay } = require("node:perf_hooks");

const file = process.env.OPAMP_BENCH_STALLS ?? "";
const resolution = 10;
const delays = monitorEventLoopDelay({ resolution });
delays.enable();
setInterval(() => {
  const longestMs = Math.max(0, delays.max / 1e6 - resolution);
  fs.appendFileSync(file, `${JSON.stringify({ at: Date.now(), longestMs })}\n`);
  delays.reset();
}, 1_000).unref();
