import { request } from "node:http";
import { describeError, errorCode } from "../../../foundation/errors.ts";
import { isInstanceRunning } from "../../storage/single-instance.ts";
import { controlSocketName, withSocketPath } from "./socket-path.ts";

/** What came of asking the supervisor of a state directory. */
export type Reply =
  | { t: "answered"; status: number; text: string }
  | { t: "not-running" }
  /** This user may not ask. */
  | { t: "forbidden" }
  /** It runs, but gives no answer; `why` ends a sentence. */
  | { t: "silent"; why: string };

export interface Question {
  method: "GET" | "POST" | "DELETE";
  path: string;
  timeoutMs: number;
  /** Called once when the answer takes longer than a moment. */
  onWait?: () => void;
}

/** After this long somebody at a terminal wants to know what is going on. */
const momentMs = 1_000;

/** Asks the supervisor that uses the state directory `directory`. Never rejects. */
export async function askSupervisor(directory: string, question: Question): Promise<Reply> {
  try {
    return await withSocketPath(directory, controlSocketName, (path) => ask(path, question));
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (code === "EACCES" || code === "EPERM") return { t: "forbidden" };
    const nobodyListens = ["ENOENT", "ENOTDIR", "ECONNREFUSED", "ENOTSOCK"].includes(code);
    if (!nobodyListens) return { t: "silent", why: describeError(error) };
    // It may be starting, or may not have been able to make its socket.
    if (!(await isInstanceRunning(directory).catch(() => false))) return { t: "not-running" };
    return { t: "silent", why: "it does not listen on its control socket; it may be starting" };
  }
}

function ask(path: string, { method, path: target, timeoutMs, onWait }: Question): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const waiting = setTimeout(() => onWait?.(), momentMs);
    const late = setTimeout(() => {
      sent.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`));
    }, timeoutMs);
    const settled = () => {
      clearTimeout(waiting);
      clearTimeout(late);
    };
    const failed = (error: Error) => {
      settled();
      reject(error);
    };
    const sent = request({ socketPath: path, method, path: target, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", failed);
      response.on("end", () => {
        settled();
        resolve({ t: "answered", status: response.statusCode ?? 0, text });
      });
    });
    sent.on("error", failed);
    sent.end();
  });
}
