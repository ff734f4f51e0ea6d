import type { Attributes } from "../report/agent-description.ts";
import type { ConfigurationTrust } from "../trust/configuration-trust.ts";
import type { Workshop } from "./workshop.ts";

/** What this host says of itself decides whether a signature is for it, and not what its Collector says. */
interface Self {
  /** Canonical instance UID. */
  id(): string;
  attributes(): Promise<Attributes>;
}

/** Judges remote configurations by `agent.trust`; without keys there every one is trusted. */
export function distrustBy(trust: ConfigurationTrust | undefined, self: Self): Workshop["distrust"] {
  if (trust === undefined) return async () => undefined;
  return async (offer) => {
    const { identifying, nonIdentifying } = await self.attributes();
    const agent = { id: self.id(), labels: { ...nonIdentifying, ...identifying } };
    const problem = await trust.check(offer, agent);
    if (problem === undefined) return undefined;
    const reason = `refused by agent.trust: ${problem.message}`;
    return { fault: problem.passing ? "host" : "untrusted", reason };
  };
}
