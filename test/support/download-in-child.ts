// A program that downloads, to be killed or measured. Arguments: the request and the settings, as JSON.
import { systemClock } from "../../src/foundation/clock.ts";
import { silentLogger } from "../../src/foundation/logger.ts";
import type { DownloadRequest, DownloadSettings } from "../../src/supervisor/packages/download/contract.ts";
import { download } from "../../src/supervisor/packages/download/download.ts";

const [request, settings] = process.argv.slice(2).map((each) => JSON.parse(each) as unknown);
// The clock's timers keep no process alive; in the supervisor other things do.
const alive = setInterval(() => undefined, 60_000);
const rssBefore = process.memoryUsage.rss();
const outcome = await download(request as DownloadRequest, settings as DownloadSettings, {
  clock: systemClock,
  random: Math.random,
  signal: new AbortController().signal,
  onProgress: () => undefined,
  logger: silentLogger,
  freeBytes: async () => 1e12,
  proxyFor: () => undefined,
});
clearInterval(alive);
const peakRss = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ event: "outcome", outcome, rssBefore, peakRss })}\n`);
