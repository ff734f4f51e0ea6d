import { AgentCapability, hasBits } from "../../opamp/bits.ts";

/** The names of the bits an Agent announced, as the specification spells them. */
export function capabilityNames(mask: bigint): string[] {
  return Object.entries(AgentCapability)
    .filter(([, bit]) => hasBits(mask, bit))
    .map(([name]) => name);
}
