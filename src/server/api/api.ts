import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { type FastifyBaseLogger, type FastifyInstance, fastify, type RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "../../foundation/logger.ts";
import type { People } from "../access/people.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { WebFiles } from "../web/web-files.ts";
import { webRoutes } from "../web/web-routes.ts";
import { addAccessControl } from "./access-control.ts";
import { type AgentLabelsApi, agentLabelRoutes } from "./agent-labels.ts";
import { type AgentRestartsApi, agentRestartRoutes } from "./agent-restarts.ts";
import { type AgentsApi, agentRoutes } from "./agents.ts";
import { applyRoutes } from "./apply.ts";
import { auditRoutes } from "./audit.ts";
import { addAudit } from "./audited.ts";
import { type CertificatesApi, certificateRoutes } from "./certificates.ts";
import { configRoutes } from "./config.ts";
import { configPreviewRoutes } from "./config-preview.ts";
import { type ConfigurationsApi, configurationRoutes } from "./configurations.ts";
import { type ConnectionsApi, connectionRoutes } from "./connections.ts";
import { addConventions } from "./conventions.ts";
import { desiredRoutes } from "./desired.ts";
import { describeRoutes, documentRoutes } from "./document.ts";
import { answerError, toJson } from "./errors.ts";
import { type EventsApi, eventRoutes } from "./events.ts";
import { type GroupsApi, groupRoutes } from "./groups.ts";
import type { IdempotencyStore } from "./idempotency-store.ts";
import { type KeysApi, keyRoutes } from "./keys.ts";
import { type MetricsApi, metricsRoutes } from "./metrics.ts";
import { newRolloutRoutes } from "./new-rollout.ts";
import { overviewRoutes } from "./overview.ts";
import { type PackagesApi, packageRoutes } from "./packages.ts";
import { type ProbesApi, probeRoutes } from "./probes.ts";
import { requestIdOf } from "./request-id.ts";
import { rollbackRoutes } from "./rollback.ts";
import { rolloutStageRoutes } from "./rollout-stages.ts";
import { type RolloutsApi, rolloutRoutes } from "./rollouts.ts";
import { strategyRoutes } from "./strategies.ts";
import { validateBySchema } from "./validation.ts";

/** What the routes of each room are added to: fastify, whose schemas are zod's. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface ApiOptions {
  rooms: AgentsApi &
    ConfigurationsApi &
    ConnectionsApi &
    AgentLabelsApi &
    AgentRestartsApi &
    CertificatesApi &
    EventsApi &
    GroupsApi &
    PackagesApi &
    ProbesApi &
    RolloutsApi &
    KeysApi &
    MetricsApi;
  people: People;
  audit: AuditLog;
  idempotency: IdempotencyStore;
  /** The web UI; empty where none was built. */
  web: WebFiles;
  log: Logger;
  /** Largest request body in bytes. */
  maxBodyBytes: number;
}

/** In place of fastify's own, which are for JSON Schema, and typed for nothing else. */
const ownCompilers = { buildValidator: () => validateBySchema as never, buildSerializer: () => () => toJson };

/** Everything the management listener answers. */
export async function createApi({
  rooms,
  people,
  audit,
  idempotency,
  web,
  log,
  maxBodyBytes,
}: ApiOptions): Promise<RequestListener> {
  const onError = answerError({ log, maxBodyBytes });
  const api: Api = fastify<Server>({
    bodyLimit: maxBodyBytes,
    // What is wrong with a request is answered, and what is wrong with us is logged by onError.
    logger: false,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => void onError(error, request, reply),
    schemaController: { compilersFactory: ownCompilers },
  }).withTypeProvider<ZodTypeProvider>();
  api.setErrorHandler(onError);
  // First, so that a refusal of access is put on record too.
  addAudit(api, { audit, log });
  addAccessControl(api, people);
  addConventions(api, idempotency);
  await describeRoutes(api);
  probeRoutes(api, rooms);
  metricsRoutes(api, rooms);
  agentRoutes(api, rooms);
  agentLabelRoutes(api, rooms);
  agentRestartRoutes(api, rooms);
  groupRoutes(api, rooms);
  desiredRoutes(api, rooms);
  overviewRoutes(api, rooms);
  configRoutes(api, rooms);
  configurationRoutes(api, rooms);
  applyRoutes(api, rooms);
  configPreviewRoutes(api, rooms);
  connectionRoutes(api, rooms);
  eventRoutes(api, rooms);
  packageRoutes(api, rooms);
  rolloutRoutes(api, rooms);
  newRolloutRoutes(api, rooms);
  rolloutStageRoutes(api, rooms);
  strategyRoutes(api, rooms);
  rollbackRoutes(api, rooms);
  keyRoutes(api, rooms);
  certificateRoutes(api, rooms);
  auditRoutes(api, { audit });
  documentRoutes(api);
  webRoutes(api, web);
  await api.ready();
  return (request, response) => api.routing(request, response);
}
