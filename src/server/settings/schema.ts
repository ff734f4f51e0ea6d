import { logLevels } from "../../foundation/logger.ts";
import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { textList } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { field, integer, oneOf, type SettingSchema, textOf } from "../../foundation/settings-file/field.ts";
import { listenAddress } from "../../foundation/settings-file/listen-address.ts";
import { defaulted, nested, optional, section } from "../../foundation/settings-file/section.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import {
  defaultHeartbeatIntervalMs,
  defaultMaxMessageBytes,
  defaultOpampPath,
  defaultOpampPort,
} from "../../opamp/limits.ts";
import { access } from "./access.ts";
import { certificates } from "./certificates.ts";
import { secrets, validation } from "./configurations.ts";
import { listenerTls } from "./listener-tls.ts";
import { notifications } from "./notifications.ts";
import { packages } from "./packages.ts";
import { rollouts } from "./rollouts.ts";
import { storage } from "./storage.ts";

const opamp = section({
  address: defaulted("endpoint", listenAddress(), { host: "0.0.0.0", port: defaultOpampPort }),
  path: defaulted("path", urlPath(), defaultOpampPath),
  tls: optional("tls", listenerTls()),
  maxMessageBytes: defaulted("max_message_size", byteSize(1024), defaultMaxMessageBytes),
  maxConnections: defaulted("max_connections", integer({ min: 1 }), 20_000),
  heartbeatIntervalMs: defaulted(
    "heartbeat_interval",
    duration({ positive: true }),
    defaultHeartbeatIntervalMs,
  ),
  drainMs: defaulted("drain", duration(), 5_000),
});

const fleet = section({
  staleAfterMs: defaulted("stale_after", duration({ positive: true }), 5 * 60_000),
  forgetAfterMs: defaulted("forget_after", duration({ positive: true }), 30 * 24 * 60 * 60_000),
});

const management = section({
  // Whoever reaches it can reconfigure the fleet, so that it is open to this machine only unless told otherwise.
  address: defaulted("endpoint", listenAddress(), { host: "127.0.0.1", port: 4321 }),
  tls: optional("tls", listenerTls()),
  maxBodyBytes: defaulted("max_body_size", byteSize(1024), 8 * 1024 * 1024),
});

const logs = section({
  level: defaulted("level", oneOf(logLevels), "info"),
  format: defaulted("format", oneOf(["auto", "json", "terminal"]), "auto"),
  outputPaths: defaulted("output_paths", textList(), ["stdout"]),
});

const metrics = section({ labels: defaulted("labels", textList(), []) });

/** server.yaml: which key becomes which part of the settings, and what its absence means. */
export const serverFile = section({
  opamp: nested("opamp", opamp),
  management: nested("management", management),
  packages: nested("packages", packages()),
  storage: nested("storage", storage),
  rollouts: nested("rollouts", rollouts),
  validation: nested("validation", validation),
  secrets: defaulted("secrets", secrets(), {}),
  access: nested("access", access),
  fleet: nested("fleet", fleet),
  certificates: nested("certificates", certificates),
  notifications: nested("notifications", notifications),
  telemetry: nested(
    "telemetry",
    section({ logs: nested("logs", logs), metrics: nested("metrics", metrics) }),
  ),
});

function urlPath(): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value) ?? "";
    if (/^\/[^\s?#]*$/.test(found)) return found;
    return complain(`expected a path that begins with /, got ${describeValue(value)}`);
  });
}
