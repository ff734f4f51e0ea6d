import { wait } from "../../../foundation/clock.ts";
import { type AttemptContext, attempt } from "./attempt.ts";
import type { DownloadDeps, DownloadOutcome, DownloadRequest, DownloadSettings } from "./contract.ts";
import { DiskError } from "./disk-error.ts";
import { PartialFile } from "./partial-file.ts";
import { ProgressReports } from "./progress-reports.ts";
import { Schedule } from "./schedule.ts";
import { sourcesOf } from "./sources.ts";
import { Space } from "./space.ts";
import { Throttle } from "./throttle.ts";

/**
 * Gets a package file onto this host (AP5, AP6, AP8), from where an earlier download of it stopped. It is
 * hashed while it is written, readable for this user only, and nothing else is done with it. Never gives up:
 * it fails only where no source can mend it. Never rejects for a source or a disk.
 */
export async function download(
  request: DownloadRequest,
  settings: DownloadSettings,
  deps: DownloadDeps,
): Promise<DownloadOutcome> {
  let file: PartialFile | undefined;
  try {
    file = await PartialFile.open(request.path, request.sha256, deps.signal);
    return await fetchInto(file, request, settings, deps);
  } catch (error) {
    if (deps.signal.aborted) return { t: "aborted" };
    if (!(error instanceof DiskError)) throw error;
    // A part of a file must not be what fills the disk.
    if (error.full) await file?.remove().catch(() => undefined);
    return { t: "failed", fault: "host", reason: error.message };
  } finally {
    await file?.close();
  }
}

async function fetchInto(
  file: PartialFile,
  request: DownloadRequest,
  settings: DownloadSettings,
  deps: DownloadDeps,
): Promise<DownloadOutcome> {
  const { clock, signal, onProgress } = deps;
  const { totalBytes } = file.origin ?? {};
  if (!file.isRight && totalBytes !== undefined && file.length >= totalBytes) await file.startOver();
  const progress = new ProgressReports(clock, onProgress, file.length);
  try {
    const outcome = file.isRight ? undefined : await fetchRest({ file, progress }, request, settings, deps);
    if (outcome !== undefined) {
      await file.remove();
      return outcome;
    }
    signal.throwIfAborted();
    await file.finish();
    progress.advanced(file.length, file.length, 0);
    return { t: "done", bytes: file.length };
  } finally {
    progress.finish();
  }
}

/** Goes from source to source until the file is whole (undefined), or no source can mend it. */
async function fetchRest(
  parts: Pick<AttemptContext, "file" | "progress">,
  request: DownloadRequest,
  settings: DownloadSettings,
  deps: DownloadDeps,
): Promise<DownloadOutcome | undefined> {
  const { file, progress } = parts;
  const { clock, signal, random, logger } = deps;
  const schedule = new Schedule(sourcesOf(request, settings.mirrors), clock, random);
  const space = new Space(request.path, deps.freeBytes);
  const { bytesPerSecond } = settings;
  const throttle = bytesPerSecond === undefined ? undefined : new Throttle(bytesPerSecond, clock);
  let mayMix = true;
  for (;;) {
    const { source, waitMs } = schedule.next;
    if (waitMs > 0) {
      progress.pausedBy(schedule.problem);
      await wait(clock, waitMs, signal);
    }
    const tried = { source: source.name, from_bytes: file.length };
    logger.debug({ event: "package_download_try", ...tried }, "getting a package");
    const before = file.appended;
    // A file of this host takes no bandwidth.
    const brake = source.t === "http" ? { throttle } : { throttle: undefined };
    const outcome = await attempt(source, { ...parts, ...brake, settings, deps, space, mayMix });
    // Also where the connection broke after the last byte.
    if (outcome.t === "whole" || file.isRight) return undefined;
    const fields = { ...tried, event: `package_download_${outcome.t}` };
    if (outcome.t === "failed") {
      const bytes = file.appended > before ? file.length : 0;
      const retryMs = Math.round(schedule.failed(source, outcome.refusal, bytes));
      const { reason } = outcome.refusal;
      logger.warn({ ...fields, reason, retry_ms: retryMs }, "a source of a package failed");
    } else {
      logger.warn({ ...fields, reason: outcome.reason }, "a source of a package has another file");
      const again = outcome.t === "wrong" && schedule.startedOver(source, outcome.certain);
      if (!again) schedule.wrong(source, outcome.reason);
    }
    if (outcome.t === "wrong") {
      // From now on bytes of two sources are not mixed, so that the one that is wrong can be told.
      mayMix = false;
      await file.startOver();
      progress.startedOver();
    }
    const verdict = schedule.verdict;
    if (verdict !== undefined) return { t: "failed", fault: "own", reason: describe(request, verdict) };
  }
}

function describe({ sha256 }: DownloadRequest, verdict: string): string {
  return `no source has the file with the offered SHA-256 ${sha256}: ${verdict}`;
}
