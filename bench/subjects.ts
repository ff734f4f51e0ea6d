import { join } from "node:path";
import { buildGo } from "../test/interop/build-go.ts";
import { supervisorExecutable } from "../test/interop/host.ts";

/** A program under measurement. All supervisors get the same supervisor.yaml but for `agentSettings`. */
export interface Subject {
  name: string;
  kind: "ours" | "reference" | "reference-hup" | "empty-node";
  executable: string;
  /** Added to the `agent` section of its configuration file. */
  agentSettings: Record<string, unknown>;
}

/** Every subject, in the order of the table's columns. Builds the reference supervisor if need be. */
export async function allSubjects(): Promise<Subject[]> {
  const packagePath = "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/opampsupervisor";
  const built = await buildGo(join(import.meta.dirname, "reference"), [packagePath]);
  const reference = built.get("opampsupervisor") ?? "";
  return [
    {
      name: "opamp-supervisor",
      kind: "ours",
      executable: supervisorExecutable,
      agentSettings: {},
    },
    { name: "reference", kind: "reference", executable: reference, agentSettings: {} },
    {
      name: "reference, HUP",
      kind: "reference-hup",
      executable: reference,
      agentSettings: { use_hup_config_reload: true },
    },
    { name: "empty Node", kind: "empty-node", executable: process.execPath, agentSettings: {} },
  ];
}
