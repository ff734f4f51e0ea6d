import { createStore } from "./store.ts";

export type Role = "viewer" | "operator" | "admin";

export interface Identity {
  name: string;
  role: Role;
  /** `loopback`: the server is open to whoever reaches it. */
  by: string;
}

export type Session =
  | { t: "starting" }
  | { t: "signed-out"; problem: string | undefined }
  | { t: "unreachable"; problem: string }
  | { t: "signed-in"; identity: Identity };

export const session = createStore<Session>({ t: "starting" });

const storageKey = "opamp-server-key";
const roles: readonly Role[] = ["viewer", "operator", "admin"];

/** In memory only, or for this tab when that was chosen. Never in an address. */
let key = sessionStorage.getItem(storageKey) ?? undefined;

/** Of every request. */
export function authorization(): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** Finds out who the server takes this browser for. */
export async function startSession(): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch("/api/v1/whoami", { headers: authorization(), cache: "no-store" });
  } catch {
    session.set({ t: "unreachable", problem: "opamp-server does not answer." });
    return;
  }
  if (answer.ok) {
    session.set({ t: "signed-in", identity: (await answer.json()) as Identity });
    return;
  }
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
  const hadKey = key !== undefined;
  forget();
  session.set({ t: "signed-out", problem: hadKey || answer.status !== 401 ? problem.detail : undefined });
}

export async function signIn(secret: string, keep: boolean): Promise<void> {
  key = secret;
  if (keep) sessionStorage.setItem(storageKey, secret);
  await startSession();
}

export function signOut(problem?: string): void {
  forget();
  session.set({ t: "signed-out", problem });
}

/** Whether who is signed in may do what takes that role. */
export function mayDo(needed: Role): boolean {
  const current = session.get();
  return current.t === "signed-in" && roles.indexOf(current.identity.role) >= roles.indexOf(needed);
}

function forget(): void {
  key = undefined;
  sessionStorage.removeItem(storageKey);
}
