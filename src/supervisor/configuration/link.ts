import {
  at,
  isList,
  type Tree,
  type Value,
  without,
  withValue,
} from "../../foundation/collector-yaml/tree.ts";
import { type ExtensionSettings, extensionFragment, extensionServer } from "./extension-fragment.ts";

const opamp = ["extensions", "opamp"];

/**
 * Forces what ties the Collector to this supervisor back to ours, whatever a later source said: without
 * the link no change can be proven. Other keys of the extension may be overridden.
 */
export function keepLink(tree: Tree, settings: ExtensionSettings): Tree {
  const ours = extensionFragment(settings);
  let kept = withValue(tree, [...opamp, "server"], extensionServer(settings));
  for (const key of ["instance_uid", "ppid", "ppid_poll_interval"]) {
    const value = at(ours, [...opamp, key]);
    kept = value === undefined ? without(kept, [...opamp, key]) : withValue(kept, [...opamp, key], value);
  }
  // Their default is true; a Collector that reports neither cannot be supervised.
  for (const key of ["reports_health", "reports_effective_config"]) {
    kept = without(kept, [...opamp, "capabilities", key]);
  }
  return withValue(kept, ["service", "extensions"], withOpamp(at(kept, ["service", "extensions"])));
}

function withOpamp(extensions: Value | undefined): Value {
  // The Collector splits text into a list at commas.
  const text = typeof extensions === "string" ? extensions.split(",").map((name) => name.trim()) : [];
  const list: readonly Value[] = isList(extensions) ? extensions : text;
  return list.includes("opamp") ? list : [...list, "opamp"];
}
