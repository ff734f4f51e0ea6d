import * as z from "zod/mini";
import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { splitListOf, textList, textMap } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { boolean, integer, oneOf, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  filledList,
  nested,
  optional,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import { configFile, executable, instanceId } from "./agent-values.ts";
import { restrictionsSection } from "./schema-restrictions.ts";
import { type AgentSettings, onSupervisorExitChoices } from "./supervisor-settings.ts";

const accessRule = section({
  allow: defaulted("allow", textList({ expected: "a path" }), []),
  deny: defaulted("deny", textList({ expected: "a path" }), []),
});

const positive = (key: string, message: string) =>
  duration({ positive: true, message: `agent::${key} ${message}` });

/**
 * `agent`. `stat` throws where there is no such path. The executable `mayBeMissing` where a package can bring one.
 */
export function agentSection(
  stat: (path: string) => unknown,
  { mayBeMissing }: { mayBeMissing: boolean },
): SettingSchema<AgentSettings> {
  return section({
    executable: mayBeMissing
      ? optionalText("executable", text({ expected: "a path" }))
      : required("executable", executable(stat), "agent::executable must be specified"),
    instanceId: optionalText("instance_id", instanceId()),
    orphanDetectionIntervalMs: defaulted(
      "orphan_detection_interval",
      positive("orphan_detection_interval", "must be positive"),
      5_000,
    ),
    configApplyTimeoutMs: defaulted(
      "config_apply_timeout",
      positive("config_apply_timeout", "must be valid duration"),
      5_000,
    ),
    bootstrapTimeoutMs: defaulted(
      "bootstrap_timeout",
      positive("bootstrap_timeout", "must be positive"),
      3_000,
    ),
    opampServerPort: defaulted(
      "opamp_server_port",
      integer({ min: 0, max: 65_535, message: "agent::opamp_server_port must be a valid port number" }),
      0,
    ),
    passthroughLogs: defaulted("passthrough_logs", boolean(), false),
    useHupConfigReload: optional("use_hup_config_reload", boolean()),
    validateConfig: optional("validate_config", boolean()),
    configFiles: defaulted("config_files", splitListOf(configFile()), []),
    args: defaulted("args", textList({ allowEmpty: true }), []),
    env: defaulted("env", textMap(), {}),
    description: nested(
      "description",
      section({
        identifying: defaulted("identifying_attributes", textMap(), {}),
        nonIdentifying: defaulted("non_identifying_attributes", textMap(), {}),
      }),
    ),
    runAs: optionalText("run_as", text({ expected: "a user name" })),
    accessDirs: optional(
      "access_dirs",
      section({ read: nested("read", accessRule), write: nested("write", accessRule) }),
    ),
    startupFallbackConfigs: defaulted("startup_fallback_configs", textList({ expected: "a path" }), []),
    ...additions,
  });
}

/** Keys that the reference does not have. */
const additions = {
  probationMs: defaulted("probation", duration(), 30_000),
  livenessTimeoutMs: defaulted("liveness_timeout", duration({ positive: true }), 30_000),
  onSupervisorExit: defaulted("on_supervisor_exit", oneOf(onSupervisorExitChoices), "keep"),
  crashLoop: nested(
    "crash_loop",
    section({
      maxExits: defaulted("max_exits", integer({ min: 1 }), 4),
      windowMs: defaulted("window", duration({ positive: true }), 60_000),
    }),
  ),
  log: nested(
    "log",
    section({
      maxBytes: defaulted("max_size", byteSize(64 * 1024), 10 * 1024 * 1024),
      keep: defaulted("keep", integer({ min: 0, max: 100 }), 1),
    }),
  ),
  memoryLimitBytes: optional("memory_limit", byteSize(32 * 1024 * 1024)),
  restrictions: nested("restrictions", restrictionsSection),
  trust: nested(
    "trust",
    section({
      configKeys: filledList("config_keys", textList({ expected: "a path of a public key in PEM" })),
      clockSkewMs: defaulted("clock_skew", duration(), 5 * 60_000),
    }),
  ),
  figuresIntervalMs: nested(
    "figures",
    z.pipe(
      section({ intervalMs: defaulted("interval", duration(), 30_000) }),
      z.transform(({ intervalMs }) => intervalMs),
    ),
  ),
  ownTelemetry: nested("own_telemetry", section({ allowHttp: defaulted("allow_http", boolean(), false) })),
};
