// Stands in for the native package `bufferutil`, which ws looks for: of a large fleet's reports, taking the mask off byte
// by byte is a tenth of the server's work. Four bytes at a time need no native code. scripts/build.mjs puts it there.

/** XORs `buffer` with the four bytes of `mask`, in place (RFC 6455, section 5.3). */
export function unmask(buffer: Uint8Array, mask: Uint8Array): void {
  xor(buffer, mask);
}

/** The same from `source` into `output` at `offset`. */
export function mask(
  source: Uint8Array,
  maskBytes: Uint8Array,
  output: Uint8Array,
  offset: number,
  length: number,
): void {
  const target = output.subarray(offset, offset + length);
  target.set(source.subarray(0, length));
  xor(target, maskBytes);
}

function xor(target: Uint8Array, maskBytes: Uint8Array): void {
  const byte = (index: number) => maskBytes[index & 3] ?? 0;
  // Words begin at a multiple of four; what is too short for one has none.
  const lead = target.length < 8 ? target.length : -target.byteOffset & 3;
  for (let index = 0; index < lead; index += 1) target[index] = (target[index] ?? 0) ^ byte(index);
  if (lead === target.length) return;
  const words = new Int32Array(target.buffer, target.byteOffset + lead, (target.length - lead) >> 2);
  const [word = 0] = new Int32Array(
    Uint8Array.of(byte(lead), byte(lead + 1), byte(lead + 2), byte(lead + 3)).buffer,
  );
  for (let index = 0; index < words.length; index += 1) words[index] = (words[index] ?? 0) ^ word;
  for (let index = lead + 4 * words.length; index < target.length; index += 1) {
    target[index] = (target[index] ?? 0) ^ byte(index);
  }
}
