import type { AgentDescription, AnyValue, KeyValue } from "../../opamp/messages.ts";

/** Far more than any host has; each Agent's description stays in memory, and selectors read it. */
const most = { attributes: 1_000, bytes: 256 * 1024 };

/** Why a description is not taken, or undefined. */
export function descriptionProblem(description: AgentDescription): string | undefined {
  const left = { ...most };
  const attributes = [...description.identifyingAttributes, ...description.nonIdentifyingAttributes];
  for (const attribute of attributes) spendOnAttribute(attribute, left);
  if (left.attributes >= 0 && left.bytes >= 0) return undefined;
  return `agent_description has ${describe(left)}: this server takes ${most.attributes} attributes and ${most.bytes} bytes of keys and values`;
}

function describe({ attributes, bytes }: typeof most): string {
  return attributes < 0 ? `${most.attributes - attributes} attributes` : `${most.bytes - bytes} bytes`;
}

/** An attribute within another one's value counts as well. */
function spendOnAttribute({ key, value }: KeyValue, left: typeof most): void {
  left.attributes -= 1;
  left.bytes -= key.length;
  spendOnValue(value, left);
}

function spendOnValue(any: AnyValue | undefined, left: typeof most): void {
  const value = any?.value;
  switch (value?.case) {
    case "stringValue":
    case "bytesValue":
      left.bytes -= value.value.length;
      return;
    case "arrayValue":
      for (const each of value.value.values) {
        left.attributes -= 1;
        spendOnValue(each, left);
      }
      return;
    case "kvlistValue":
      for (const each of value.value.values) spendOnAttribute(each, left);
      return;
    case "boolValue":
    case "doubleValue":
    case "intValue":
    case undefined:
      return;
  }
}
