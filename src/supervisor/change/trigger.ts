import type { AgentRemoteConfig } from "../../opamp/messages.ts";
import type { ChangeRecord } from "./change.ts";
import type { Reference } from "./configuration-book.ts";
import type { ConfigurationInputs } from "./snapshots.ts";

/**
 * Why what runs is to change. Only offers of the server have a status: RemoteConfigStatus, PackageStatuses, or
 * both where they came in one message and are taken or refused together.
 */
export type Trigger =
  | { t: "remote"; offer: AgentRemoteConfig; withPackages: boolean }
  | { t: "packages" }
  | { t: "local"; what: string }
  /** An operator wants what ran before `from`. `cause` had brought that. */
  | { t: "rollback"; from: Reference; cause: Reference["cause"]; reason: string };

/** Whether packages of the server come with it. */
export function bringsPackages(trigger: Trigger): boolean {
  return trigger.t === "packages" || (trigger.t === "remote" && trigger.withPackages);
}

/** What had brought the configuration that is to run. */
export function causeOf(trigger: Trigger): Reference["cause"] {
  switch (trigger.t) {
    case "remote":
      return trigger.withPackages ? "remote+packages" : "remote";
    case "rollback":
      return trigger.cause;
    case "packages":
    case "local":
      return trigger.t;
  }
}

/** For the log. */
export function describeTrigger(trigger: Trigger): string {
  if (trigger.t === "local") return trigger.what;
  return trigger.t === "rollback" ? trigger.t : causeOf(trigger);
}

/** What the journal holds of it. */
export function detailOf(trigger: Trigger, { packages }: ConfigurationInputs): ChangeRecord["detail"] {
  const detail = { trigger: trigger.t, ...(bringsPackages(trigger) && { packages }) };
  switch (trigger.t) {
    case "remote":
      return { ...detail, ...(trigger.withPackages && { withPackages: true }) };
    case "local":
      return { ...detail, what: trigger.what };
    case "rollback":
      return { ...detail, from: trigger.from, cause: trigger.cause, reason: trigger.reason };
    case "packages":
      return detail;
  }
}
