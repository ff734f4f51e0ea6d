import { describeError } from "../../../foundation/errors.ts";
import type { Asked, Refusal } from "./answer.ts";
import type { DownloadDeps, DownloadSettings } from "./contract.ts";
import { DiskError } from "./disk-error.ts";
import { Lifeline } from "./lifeline.ts";
import { type Opened, openSource } from "./open-source.ts";
import type { PartialFile } from "./partial-file.ts";
import type { ProgressReports } from "./progress-reports.ts";
import type { Source } from "./sources.ts";
import type { Space } from "./space.ts";
import type { Throttle } from "./throttle.ts";

export type AttemptOutcome =
  /** Every byte is there, and the hash says that they are the right ones. */
  | { readonly t: "whole" }
  /** The file is not the right one. `certain`: all of it is from this one answer, which came to its end. */
  | { readonly t: "wrong"; readonly certain: boolean; readonly reason: string }
  /** The source has something else, of which nothing was taken. */
  | { readonly t: "unfit"; readonly reason: string }
  | { readonly t: "failed"; readonly refusal: Refusal };

export interface AttemptContext {
  readonly file: PartialFile;
  readonly settings: DownloadSettings;
  readonly deps: DownloadDeps;
  readonly progress: ProgressReports;
  readonly throttle: Throttle | undefined;
  readonly space: Space;
  /** Whether bytes of several sources may come together in the file. */
  readonly mayMix: boolean;
}

/**
 * Gets as much of the file from one source as that gives, going on after what is there.
 * @throws DiskError, or the reason of `deps.signal`.
 */
export async function attempt(source: Source, context: AttemptContext): Promise<AttemptOutcome> {
  const { deps, settings, file } = context;
  using lifeline = new Lifeline(deps.clock, settings.stallTimeoutMs, deps.signal);
  try {
    using first = await openSource(source, question(source, context), lifeline, deps);
    if (first.t !== "misfit") return await receive(first, lifeline, context);
    await file.startOver();
    using second = await openSource(source, question(source, context), lifeline, deps);
    return await receive(second, lifeline, context);
  } catch (error) {
    if (deps.signal.aborted || error instanceof DiskError) throw error;
    // An aborted request fails with its own error; the reason is the one worth reading.
    const reason = describeError(lifeline.signal.aborted ? lifeline.signal.reason : error);
    return failed(withoutUserinfo(reason), "soon");
  }
}

function question(source: Source, { file, mayMix }: AttemptContext): Asked {
  const isOfSource = file.origin?.source === source.key;
  const from = isOfSource || mayMix ? file.length : 0;
  return {
    from,
    validator: isOfSource ? file.origin : undefined,
    totalBytes: file.origin?.totalBytes,
  };
}

async function receive(opened: Opened, lifeline: Lifeline, context: AttemptContext): Promise<AttemptOutcome> {
  if (opened.t === "refused") return { t: "failed", refusal: opened.refusal };
  if (opened.t === "misfit")
    return failed("it answered with a part of the file that was not asked for", "slow");
  const { file, settings, deps, progress, throttle, space } = context;
  const { maxBytes } = settings;
  const { start, total, chunks, origin } = opened;
  if (total !== undefined && total > maxBytes) {
    return { t: "unfit", reason: `it has ${total} bytes, ${tooMany(maxBytes)}` };
  }
  if (start === 0 && file.length > 0) await file.startOver();
  await space.demand(total === undefined ? 0 : total - start);
  await file.continueFrom(origin);
  progress.advanced(file.length, total, 0);
  for (;;) {
    const { done, value: chunk } = await lifeline.hear(chunks.next());
    if (done === true) break;
    const length = file.length + chunk.length;
    if (length > Math.min(maxBytes, total ?? maxBytes)) {
      const reason =
        length > maxBytes ? `it goes on, ${tooMany(maxBytes)}` : "it goes on after its announced end";
      return { t: "wrong", certain: start === 0, reason };
    }
    await file.append(chunk);
    progress.advanced(length, total, chunk.length);
    await space.taken(chunk.length);
    await throttle?.passed(chunk.length, deps.signal);
  }
  if (total !== undefined && file.length < total) {
    return failed(`it ended after ${file.length} of ${total} bytes`, "soon");
  }
  if (file.isRight) return { t: "whole" };
  const reason = `its ${file.length} bytes have the SHA-256 ${file.sha256}`;
  return { t: "wrong", certain: start === 0 && opened.endIsKnown, reason };
}

function tooMany(maxBytes: number): string {
  return `more than packages.max_size allows (${maxBytes} bytes)`;
}

function failed(reason: string, pace: Refusal["pace"]): AttemptOutcome {
  return { t: "failed", refusal: { reason, pace } };
}

/** An error about a proxy shows its URL. */
function withoutUserinfo(reason: string): string {
  return reason.replaceAll(/\/\/[^/\s]*@/g, "//");
}
