import type { AgentDescription, AnyValue, KeyValue } from "../../opamp/messages.ts";

/** What selectors look at: all attributes as text; an identifying one wins over another of its name. */
export type Labels = Readonly<Record<string, string>>;

/** The attributes of a description as labels. */
export function labelsOf(description: AgentDescription | undefined): Labels {
  const attributes: KeyValue[] = [
    ...(description?.nonIdentifyingAttributes ?? []),
    ...(description?.identifyingAttributes ?? []),
  ];
  return Object.fromEntries(attributes.map(({ key, value }) => [key, textOf(value)]));
}

/** A scalar as people write it; lists and maps as JSON, bytes in base64. */
function textOf(value: AnyValue | undefined): string {
  const plain = plainOf(value);
  return typeof plain === "object" ? JSON.stringify(plain) : String(plain);
}

type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain };

/** An attribute value as JSON has it. */
function plainOf(any: AnyValue | undefined): Plain {
  const value = any?.value;
  switch (value?.case) {
    case "stringValue":
    case "boolValue":
    case "doubleValue":
      return value.value;
    case "intValue":
      // JSON has no 64-bit integers that every reader keeps.
      return Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value.toString();
    case "bytesValue":
      return Buffer.from(value.value).toString("base64");
    case "arrayValue":
      return value.value.values.map(plainOf);
    case "kvlistValue":
      return Object.fromEntries(value.value.values.map((each) => [each.key, plainOf(each.value)]));
    case undefined:
      return "";
  }
}
