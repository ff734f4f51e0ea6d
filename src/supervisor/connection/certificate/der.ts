/** Writes the few ASN.1 types of X.690 (DER) that a certification request is made of. */
const tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Any element by its tag. */
function element(tagByte: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tagByte]), length(body.length), body]);
}

export const sequence = (...items: readonly Uint8Array[]) => element(tag.sequence, ...items);
export const set = (...items: readonly Uint8Array[]) => element(tag.set, ...items);
export const octetString = (bytes: Uint8Array) => element(tag.octetString, bytes);
export const utf8String = (text: string) => element(tag.utf8String, Buffer.from(text, "utf8"));
export const nothing = () => element(tag.null);
/** 0 to 127. */
export const smallInteger = (value: number) => element(tag.integer, Buffer.from([value]));
/** Of whole bytes. */
export const bitString = (bytes: Uint8Array) => element(tag.bitString, Buffer.from([0]), bytes);

/** An element of the context-specific class: `[0]`, `[6]`. */
export function contextual(number: number, constructed: boolean, ...content: readonly Uint8Array[]): Buffer {
  return element(0x80 | (constructed ? 0x20 : 0) | number, ...content);
}

/** From its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...others].flatMap(base128);
  return element(tag.objectIdentifier, Buffer.from(bytes));
}

/** Seven bits a byte, all but the last one marked. */
function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes]);
  const hex = bytes.toString(16);
  const big = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.from([0x80 | big.length]), big]);
}
