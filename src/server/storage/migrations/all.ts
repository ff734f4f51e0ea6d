import type { SchemaStep } from "../migration.ts";
import { fleetAndOffers } from "./001-fleet-and-offers.ts";
import { replicas } from "./002-replicas.ts";
import { configurations } from "./010-configurations.ts";
import { rollouts } from "./020-rollouts.ts";
import { accessAndAudit } from "./030-access-and-audit.ts";
import { certificates } from "./040-certificates.ts";
import { connections } from "./050-connections.ts";

/** Every step of the schema. A room's steps begin with its own number: they only need tables of their room. */
export const schemaSteps: readonly SchemaStep[] = [
  fleetAndOffers,
  replicas,
  configurations,
  rollouts,
  accessAndAudit,
  certificates,
  connections,
];
