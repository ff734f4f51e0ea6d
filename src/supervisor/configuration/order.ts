/** Where in `agent.config_files` the sources that are no files go. */
const markers = {
  ownTelemetry: "$OWN_TELEMETRY_CONFIG",
  opampExtension: "$OPAMP_EXTENSION_CONFIG",
  remote: "$REMOTE_CONFIG",
} as const;

/** One source of the merged configuration; later ones win. */
export type Source =
  | { t: "own-telemetry" }
  | { t: "opamp-extension" }
  | { t: "remote" }
  | { t: "file"; path: string };

/**
 * The order in which sources are merged. Markers that `agent.config_files` leaves out are put where the
 * reference puts them: own telemetry first, the extension last, the remote configuration after it.
 */
export function sourceOrder(configFiles: readonly string[]): Source[] {
  const listed = new Set(configFiles);
  const order = [...configFiles];
  if (!listed.has(markers.ownTelemetry)) order.unshift(markers.ownTelemetry);
  if (!listed.has(markers.opampExtension)) order.push(markers.opampExtension);
  if (!listed.has(markers.remote)) order.push(markers.remote);
  return order.map(toSource);
}

/** The local files among `agent.config_files`, each once. */
export function localFilePaths(configFiles: readonly string[]): string[] {
  const paths = configFiles.map(toSource).flatMap((source) => (source.t === "file" ? [source.path] : []));
  return [...new Set(paths)];
}

function toSource(item: string): Source {
  switch (item) {
    case markers.ownTelemetry:
      return { t: "own-telemetry" };
    case markers.opampExtension:
      return { t: "opamp-extension" };
    case markers.remote:
      return { t: "remote" };
    default:
      return { t: "file", path: item };
  }
}
