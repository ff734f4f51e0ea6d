// A process of its own, because it may die: merges configurations, looks for their secrets, and checks them.
// Arguments: their size in bytes and their names; prints how each ended.
import { create } from "@bufbuild/protobuf";
import { AgentRemoteConfigSchema } from "../../src/opamp/messages.ts";
import { compose } from "../../src/supervisor/configuration/compose.ts";
import { checkRestrictions } from "../../src/supervisor/configuration/restrictions.ts";
import { collectSecrets, SecretMasker } from "../../src/supervisor/configuration/secrets.ts";
import { demanding } from "./demanding-configurations.ts";

const extension = { instanceUid: "", port: 1, token: "t", mark: "m", reportsAvailableComponents: true };

async function outcomeOf(text: string): Promise<string> {
  try {
    const body = new TextEncoder().encode(text);
    const composition = compose({
      configFiles: [],
      localFiles: {},
      acceptsRemoteConfig: true,
      remote: create(AgentRemoteConfigSchema, { config: { configMap: { "": { body } } } }).config,
      ownTelemetry: undefined,
      pemPath: (pem) => `/pem/${pem}`,
      attributes: {},
      extension,
      noPipelines: "gate",
    });
    const readers = { env: () => "value", readFile: async () => "value" };
    const masker = new SecretMasker(await collectSecrets(composition.tree, readers));
    masker.mask("x".repeat(10_000));
    checkRestrictions(composition, { filePaths: [], listenAddresses: [], configProviders: [] });
    return "merged";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

const [bytes, ...names] = process.argv.slice(2);
const outcomes: Record<string, string> = {};
for (const name of names) outcomes[name] = await outcomeOf(demanding[name]?.(Number(bytes)) ?? "");
process.stdout.write(JSON.stringify(outcomes));
