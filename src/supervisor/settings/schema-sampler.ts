import { decodeAt } from "../../foundation/settings-file/collections.ts";
import {
  alreadyReported,
  field,
  opaque,
  type SettingSchema,
  textOf,
} from "../../foundation/settings-file/field.ts";
import { defaulted, optional, section } from "../../foundation/settings-file/section.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import { variant } from "./schema-exporters.ts";
import type { SamplerSettings } from "./telemetry-settings.ts";

/** `sampler` of `telemetry.traces`. */
export function sampler(): SettingSchema<SamplerSettings> {
  return field((value, complain, report) => {
    // A sampler may hold samplers: they are built when they are met.
    const kinds = {
      always_on: empty("always_on"),
      always_off: empty("always_off"),
      trace_id_ratio_based: ratioBased(),
      parent_based: parentBased(),
    };
    return (
      decodeAt(variant<SamplerSettings>("a sampler", kinds), value, [], report) ?? complain(alreadyReported)
    );
  });
}

function empty<K extends "always_on" | "always_off">(kind: K): SettingSchema<{ readonly kind: K }> {
  return field((value, _complain, report) => {
    decodeAt(section({}), value, [], report);
    return { kind };
  });
}

const ratioBased = (): SettingSchema<SamplerSettings> =>
  field((value, complain, report) => {
    const decoded = decodeAt(section({ ratio: defaulted("ratio", ratio(), 1) }), value, [], report);
    return decoded === undefined ? complain(alreadyReported) : { kind: "trace_id_ratio_based", ...decoded };
  });

const parentBased = (): SettingSchema<SamplerSettings> =>
  field((value, complain, report) => {
    const schema = section({
      root: optional("root", sampler()),
      localParentSampled: optional("local_parent_sampled", sampler()),
      localParentNotSampled: optional("local_parent_not_sampled", sampler()),
      // No span of the supervisor has its parent in another process.
      remoteParentSampled: optional("remote_parent_sampled", opaque()),
      remoteParentNotSampled: optional("remote_parent_not_sampled", opaque()),
    });
    const decoded = decodeAt(schema, value, [], report);
    if (decoded === undefined) return complain(alreadyReported);
    const { root, localParentSampled, localParentNotSampled } = decoded;
    return { kind: "parent_based", root, localParentSampled, localParentNotSampled };
  });

function ratio(): SettingSchema<number> {
  return field((value, complain) => {
    const found = Number(textOf(value) || Number.NaN);
    if (found >= 0 && found <= 1) return found;
    return complain(`expected a number from 0 to 1, got ${describeValue(value)}`);
  });
}
