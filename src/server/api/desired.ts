import * as z from "zod";
import { findAgent, oneAgent } from "./agent-parameter.ts";
import type { AgentsApi } from "./agents.ts";
import type { Api } from "./api.ts";

const desiredSchema = z
  .object({
    configuration: z
      .object({
        config_hash: z.string(),
        rollout: z.string().nullable().describe("The one that brings it, while that is under way"),
        entries: z.record(z.string(), z.string()).describe("Text of each"),
      })
      .nullable(),
    packages: z
      .object({
        packages_hash: z.string(),
        rollout: z.string().nullable(),
        packages: z.record(z.string(), z.string()).describe("Version of each"),
      })
      .nullable(),
  })
  .meta({ id: "Desired" });

/** What an Agent is to have, in full, to be held against what it says that it runs. */
export function desiredRoutes(api: Api, { fleet, offering }: Pick<AgentsApi, "fleet" | "offering">): void {
  api.get(
    "/api/v1/agents/:instance_uid/desired",
    {
      schema: {
        tags: ["agents"],
        summary: "What an agent is to have: the text of its configuration, the versions of its packages",
        params: oneAgent,
        response: { 200: desiredSchema },
      },
    },
    async ({ params }) => {
      const { configuration, packages } = offering.assignedTo(findAgent(fleet, params));
      return {
        configuration:
          configuration === undefined
            ? null
            : {
                config_hash: configuration.desired.hashHex,
                rollout: configuration.rolloutId ?? null,
                entries: Object.fromEntries(
                  Object.entries(configuration.desired.map.configMap).map(([name, { body }]) => [
                    name,
                    Buffer.from(body).toString(),
                  ]),
                ),
              },
        packages:
          packages === undefined
            ? null
            : {
                packages_hash: packages.desired.hashHex,
                rollout: packages.rolloutId ?? null,
                packages: Object.fromEntries(
                  packages.desired.packages.map(({ name, version }) => [name, version]),
                ),
              },
      };
    },
  );
}
