import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { MalformedMessageError } from "./malformed-message.ts";

/** Fields of one message, at all depths. A Collector with hundreds of components stays below 100,000. */
export const maxFields = 500_000;

/** The shortest field is a tag and an empty value. */
const minFieldBytes = 2;

/** Which fields of a message are messages themselves. */
type Shape = (fieldNumber: number) => Shape | undefined;

/**
 * Refuses a message of very many very small parts. Each part costs some hundred bytes once it is decoded,
 * so the size limit alone lets a 64 MiB message, itself 64 kB when compressed, fill gigabytes of memory.
 * @throws MalformedMessageError when it has more than `limit` fields, or cannot be walked.
 */
export function limitFields(schema: DescMessage, body: Uint8Array, limit = maxFields): void {
  if (body.length < limit * minFieldBytes) return;
  const reader = new BinaryReader(body);
  let fields = 0;
  const walk = (shape: Shape, end: number, depth: number) => {
    if (depth > 100) throw new MalformedMessageError("the message is nested too deep");
    while (reader.pos < end) {
      fields += 1;
      if (fields > limit) throw new MalformedMessageError(`the message has more than ${limit} fields`);
      const [fieldNumber, wireType] = reader.tag();
      const child = wireType === WireType.LengthDelimited ? shape(fieldNumber) : undefined;
      if (child === undefined) reader.skip(wireType, fieldNumber);
      else walk(child, reader.uint32() + reader.pos, depth + 1);
    }
  };
  try {
    walk(shapes()(schema), body.length, 0);
  } catch (cause) {
    if (cause instanceof MalformedMessageError) throw cause;
    throw new MalformedMessageError(`not a ${schema.name} message`, { cause });
  }
}

/** Shapes by descriptor, made when first needed: messages contain themselves. */
function shapes(): (desc: DescMessage) => Shape {
  const known = new Map<DescMessage, Shape>();
  const shapeOf = (desc: DescMessage): Shape => {
    let shape = known.get(desc);
    if (shape === undefined) {
      const fields = new Map(desc.fields.map((field) => [field.number, field]));
      shape = (fieldNumber) => childOf(fields.get(fieldNumber));
      known.set(desc, shape);
    }
    return shape;
  };
  const childOf = (field: DescField | undefined): Shape | undefined => {
    if (field?.message === undefined) return undefined;
    const { message } = field;
    // An entry of a map has the value in field 2.
    if (field.fieldKind === "map") return (fieldNumber) => (fieldNumber === 2 ? shapeOf(message) : undefined);
    return shapeOf(message);
  };
  return shapeOf;
}
