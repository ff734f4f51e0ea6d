import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { launcher, type SupervisorHost } from "./supervisor-host.ts";

/** How a call of the program ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Calls `opamp-supervisor` and resolves when it has ended. */
export async function runCommand(...args: string[]): Promise<Outcome> {
  try {
    return { code: 0, ...(await promisify(execFile)(launcher, args)) };
  } catch (error) {
    return error as Outcome;
  }
}

/** The same with the settings of a host. */
export function operate(host: SupervisorHost, ...args: string[]): Promise<Outcome> {
  return runCommand(...args, "--config", host.settingsPath);
}
