import { createHash, type Hash } from "node:crypto";

// Only public values pass through here, so nothing needs to take constant time.

const p = 2n ** 255n - 19n;
/** Order of the base point. */
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const d = mod(-121665n * power(121666n, p - 2n));
const rootOfMinusOne = power(2n, (p - 1n) / 4n);

/** Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z (RFC 8032 section 5.1.4). */
type Point = readonly [X: bigint, Y: bigint, Z: bigint, T: bigint];

const neutral: Point = [0n, 1n, 1n, 0n];
const base = affine(
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  46316835694926478169428394003475163141307993866256225615783033603165251855960n,
);

/**
 * Verifies one Ed25519 signature (RFC 8032 section 5.1.7, as OpenSSL does it) over bytes that come in pieces.
 * `node:crypto` takes them only as a whole, and a package does not fit into the supervisor's memory: here
 * SHA-512 is fed as the file is read, and what remains is one equation of the curve, some 10 ms.
 */
export class Ed25519Check {
  readonly #publicKey: Uint8Array;
  readonly #signature: Uint8Array;
  readonly #hash: Hash;

  constructor(publicKey: Uint8Array, signature: Uint8Array) {
    this.#publicKey = publicKey;
    this.#signature = signature;
    this.#hash = createHash("sha512").update(signature.subarray(0, 32)).update(publicKey);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** To be asked once, after the last byte. */
  passes(): boolean {
    const hash = littleEndian(this.#hash.digest()) % order;
    if (this.#signature.length !== 64) return false;
    const s = littleEndian(this.#signature.subarray(32));
    const key = decode(this.#publicKey);
    // A larger s would make a second signature of the same file out of a good one.
    if (s >= order || key === undefined) return false;
    const expected = encode(doubleMultiply(s, base, hash, negate(key)));
    return Buffer.from(expected).equals(this.#signature.subarray(0, 32));
  }
}

function mod(value: bigint): bigint {
  const rest = value % p;
  return rest < 0n ? rest + p : rest;
}

function power(value: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = value;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

function affine(x: bigint, y: bigint): Point {
  return [x, y, 1n, mod(x * y)];
}

function negate([x, y, z, t]: Point): Point {
  return [mod(-x), y, z, mod(-t)];
}

/** Complete on this curve: right for equal points and for the neutral one too. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * d * mod(t1 * t2));
  const twice = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, twice - c, twice + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

/** `m` times P plus `n` times Q. */
function doubleMultiply(m: bigint, pointP: Point, n: bigint, pointQ: Point): Point {
  const both = add(pointP, pointQ);
  let result = neutral;
  for (let bit = 252n; bit >= 0n; bit -= 1n) {
    result = add(result, result);
    const inM = ((m >> bit) & 1n) === 1n;
    const inN = ((n >> bit) & 1n) === 1n;
    if (inM && inN) result = add(result, both);
    else if (inM) result = add(result, pointP);
    else if (inN) result = add(result, pointQ);
  }
  return result;
}

/** undefined when the bytes are no point of the curve (RFC 8032 section 5.1.3). */
function decode(bytes: Uint8Array): Point | undefined {
  if (bytes.length !== 32) return undefined;
  const number = littleEndian(bytes);
  const sign = number >> 255n;
  const y = number & (2n ** 255n - 1n);
  if (y >= p) return undefined;
  const u = mod(y * y - 1n);
  const v = mod(d * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(mod(u * power(v, 7n)), (p - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * rootOfMinusOne);
  if (mod(v * x * x) !== u || (x === 0n && sign === 1n)) return undefined;
  return affine((x & 1n) === sign ? x : p - x, y);
}

function encode([x, y, z]: Point): Uint8Array {
  const inverse = power(z, p - 2n);
  let rest = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index += 1, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return bytes;
}

function littleEndian(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes.toReversed()).toString("hex");
  return hex === "" ? 0n : BigInt(`0x${hex}`);
}
