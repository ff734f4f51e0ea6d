import { create } from "@bufbuild/protobuf";
import { AgentConfigMapSchema, type EffectiveConfig, EffectiveConfigSchema } from "../messages.ts";

/**
 * Whether both name the same entries with the same bytes. The largest part of most reports by far: reflection, which
 * compares and copies the other parts, goes through its bodies byte by byte.
 */
export function sameEffectiveConfig(a: EffectiveConfig, b: EffectiveConfig): boolean {
  const [before, now] = [a.configMap?.configMap, b.configMap?.configMap];
  if (before === undefined || now === undefined) return before === now;
  const names = Object.keys(before);
  return (
    names.length === Object.keys(now).length &&
    names.every((name) => {
      const [one, other] = [before[name], now[name]];
      if (one === undefined || other === undefined) return false;
      return one.contentType === other.contentType && Buffer.compare(one.body, other.body) === 0;
    })
  );
}

/** A copy that shares no bytes with the frame it came in. */
export function copyEffectiveConfig({ configMap: map }: EffectiveConfig): EffectiveConfig {
  if (map === undefined) return create(EffectiveConfigSchema);
  const entries = Object.entries(map.configMap).map(([name, { body, contentType }]) => [
    name,
    { body: body.slice(), contentType },
  ]);
  const configMap = create(AgentConfigMapSchema, { configMap: Object.fromEntries(entries) });
  return create(EffectiveConfigSchema, { configMap });
}
