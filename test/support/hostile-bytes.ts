import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { AgentToServerSchema, ServerToAgentSchema } from "../../src/opamp/messages.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const uid = fc.uint8Array({ minLength: 16, maxLength: 16 });
const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
const shortText = fc.string({ maxLength: 20 });

const configMap = fc
  .dictionary(shortText, fc.record({ body: bytes(200), contentType: shortText }), { maxKeys: 3 })
  .map((map) => ({ configMap: map }));

/** Well-formed AgentToServer messages with all kinds of parts. */
export const goodReports: fc.Arbitrary<Uint8Array> = fc
  .record(
    {
      instanceUid: uid,
      sequenceNum: uint64,
      capabilities: uint64,
      flags: uint64,
      agentDescription: fc.record({
        identifyingAttributes: fc.array(fc.record({ key: shortText }), { maxLength: 3 }),
      }),
      health: fc.record({ healthy: fc.boolean(), lastError: shortText, startTimeUnixNano: uint64 }),
      effectiveConfig: fc.record({ configMap }),
      availableComponents: fc.record({
        hash: bytes(8),
        components: fc.dictionary(shortText, fc.constant({}), { maxKeys: 2 }),
      }),
      customMessage: fc.record({ capability: shortText, type: shortText, data: bytes(100) }),
    },
    { requiredKeys: ["instanceUid"] },
  )
  .map((init) => toBinary(AgentToServerSchema, create(AgentToServerSchema, init)));

/** Well-formed ServerToAgent messages. */
export const goodOffers: fc.Arbitrary<Uint8Array> = fc
  .record(
    {
      instanceUid: uid,
      flags: uint64,
      capabilities: uint64,
      remoteConfig: fc.record({ config: configMap, configHash: bytes(32) }),
      agentIdentification: fc.record({ newInstanceUid: bytes(20) }),
      connectionSettings: fc.record({ hash: bytes(8), opamp: fc.record({ destinationEndpoint: shortText }) }),
      errorResponse: fc.record({ type: fc.integer({ min: 0, max: 5 }), errorMessage: shortText }),
      customMessage: fc.record({ capability: shortText, type: shortText, data: bytes(100) }),
    },
    { requiredKeys: ["instanceUid"] },
  )
  .map((init) => toBinary(ServerToAgentSchema, create(ServerToAgentSchema, init)));

function varint(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return out;
}

/** A message in field `field` of itself, `depth` deep. */
function nested(field: number, depth: number): Uint8Array {
  const heads: number[][] = [];
  let length = 0;
  for (let level = 0; level < depth; level += 1) {
    const head = [...varint(BigInt((field << 3) | 2)), ...varint(BigInt(length))];
    heads.push(head);
    length += head.length;
  }
  return Uint8Array.from(heads.reverse().flat());
}

/** Health in health in health ...: every level is one the schema knows. */
function nestedHealth(depth: number): Uint8Array {
  let body: number[] = [];
  for (let level = 0; level < depth; level += 1) {
    const value = [0x12, ...varint(BigInt(body.length)), ...body];
    body = [0x32, ...varint(BigInt(value.length)), ...value];
  }
  return Uint8Array.from([0x2a, ...varint(BigInt(body.length)), ...body]);
}

const fieldTag = fc.integer({ min: 1, max: 20 });
const lengthTag = fieldTag.map((field) => varint(BigInt((field << 3) | 2))[0] ?? 0);

/** A field that says it is gigabytes long, and is not. */
const giantLength = fc
  .tuple(lengthTag, fc.bigInt(2n ** 31n - 2n, 2n ** 64n - 1n), bytes(20))
  .map(([tag, length, rest]) => Uint8Array.from([tag, ...varint(length), ...rest]));

/** A varint that does not end where varints must. */
const hugeVarint = fc
  .tuple(fieldTag, fc.integer({ min: 8, max: 2000 }))
  .map(([field, length]) => Uint8Array.from([field << 3, ...new Array<number>(length).fill(0xff)]));

const nestedGroups = fc
  .tuple(fieldTag, fc.integer({ min: 1, max: 50_000 }))
  .map(([field, depth]) => new Uint8Array(depth).fill((field << 3) | 3));

const deep = fc.oneof(
  fc.tuple(fieldTag, fc.integer({ min: 50, max: 20_000 })).map(([field, depth]) => nested(field, depth)),
  fc.integer({ min: 10, max: 300 }).map(nestedHealth),
  nestedGroups,
);

/** Thousands of sub-messages of two bytes each. */
const crowd = fc
  .tuple(lengthTag, fc.integer({ min: 100, max: 10_000 }))
  .map(([tag, count]) => new Uint8Array(count * 2).map((_, index) => (index % 2 === 0 ? tag : 0)));

function damaged(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const truncated = fc.tuple(good, at).map(([whole, share]) => whole.subarray(0, whole.length * share));
  const flipped = fc
    .tuple(good, fc.array(fc.tuple(at, fc.nat(7)), { minLength: 1, maxLength: 5 }))
    .map(([whole, flips]) => {
      const copy = whole.slice();
      for (const [share, bit] of flips) {
        const index = Math.floor(copy.length * share);
        copy[index] = (copy[index] ?? 0) ^ (1 << bit);
      }
      return copy;
    });
  const spliced = fc
    .tuple(good, at, bytes(30))
    .map(([whole, share, insert]) =>
      Uint8Array.from([
        ...whole.subarray(0, whole.length * share),
        ...insert,
        ...whole.subarray(whole.length * share),
      ]),
    );
  return fc.oneof(truncated, flipped, spliced);
}

/**
 * Message bodies as an attacker, a bad line or a bug would send them: noise, damage done to `good` ones, deep
 * nesting, lengths and varints beyond all bounds; now and then one that is good. At most 100 kB each.
 */
export function hostileBytes(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 3, arbitrary: bytes(300) },
    { weight: 6, arbitrary: damaged(good) },
    { weight: 1, arbitrary: deep },
    { weight: 1, arbitrary: giantLength },
    { weight: 1, arbitrary: hugeVarint },
    { weight: 1, arbitrary: crowd },
    { weight: 2, arbitrary: good },
  );
}

/** A gzip stream a thousandth as long as the zeroes it unpacks to. */
export function gzipBomb(unpackedBytes: number): Buffer {
  return gzipSync(Buffer.alloc(unpackedBytes));
}
