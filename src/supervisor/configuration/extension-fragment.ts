import type { Tree } from "../../foundation/collector-yaml/tree.ts";

/** Name of the header by which the Collector's link tells which configuration it runs. */
export const changeMarkHeader = "X-OpAMP-Supervisor-Change";

/** What the Collector's `opamp` extension needs to dial this supervisor. */
export interface ExtensionSettings {
  /** Canonical UUID text. */
  instanceUid: string;
  /** Port of the local OpAMP server on loopback. */
  port: number;
  /** Bearer token that the local server asks for. */
  token: string;
  /** Names this composition; any other composition has another mark. */
  mark: string;
  reportsAvailableComponents: boolean;
  /** Only for `on_supervisor_exit: stop`: the Collector is to watch this process. */
  parent?: { pid: number; pollIntervalMs: number } | undefined;
}

/** The `extensions.opamp.server` block. Values are safe from the Collector's `${}` expansion. */
export function extensionServer({ port, token, mark }: ExtensionSettings): Tree {
  return {
    ws: {
      endpoint: `ws://127.0.0.1:${port}/v1/opamp`,
      tls: { insecure: true },
      headers: {
        Authorization: escapeDollars(`Bearer ${token}`),
        [changeMarkHeader]: escapeDollars(mark),
      },
    },
  };
}

/** The configuration by which the Collector reports to its supervisor. */
export function extensionFragment(settings: ExtensionSettings): Tree {
  const { instanceUid, reportsAvailableComponents, parent } = settings;
  const watch: Tree =
    parent === undefined
      ? {}
      : { ppid: BigInt(parent.pid), ppid_poll_interval: `${Math.round(parent.pollIntervalMs)}ms` };
  return {
    extensions: {
      opamp: {
        instance_uid: instanceUid,
        server: extensionServer(settings),
        capabilities: { reports_available_components: reportsAvailableComponents },
        ...watch,
      },
    },
    service: { extensions: ["opamp"] },
  };
}

/** Makes the Collector take `$` for itself, so that no value of ours or of an offer reads its environment. */
export function escapeDollars(text: string): string {
  return text.replaceAll("$", "$$$$");
}
