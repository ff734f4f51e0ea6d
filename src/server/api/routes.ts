import { type AgentsApi, getAgent, listAgents, restartAgent } from "./agents.ts";
import { pushConfig } from "./config.ts";
import { listPackages, offerPackages, type PackagesApi, rescanPackages } from "./packages.ts";
import { health, ready } from "./probes.ts";
import type { Route } from "./router.ts";

export interface ApiDependencies extends AgentsApi, PackagesApi {
  isReady: () => boolean;
}

/** Everything the management listener answers. */
export function apiRoutes(dependencies: ApiDependencies): Route[] {
  const { isReady } = dependencies;
  return [
    { method: "GET", path: "/health", handler: health },
    { method: "GET", path: "/ready", handler: () => ready(isReady) },
    { method: "GET", path: "/api/v1/agents", handler: (request) => listAgents(dependencies, request) },
    {
      method: "GET",
      path: "/api/v1/agents/{instance_uid}",
      handler: (request) => getAgent(dependencies, request),
    },
    {
      method: "POST",
      path: "/api/v1/agents/{instance_uid}/restart",
      handler: (request) => restartAgent(dependencies, request),
    },
    { method: "POST", path: "/api/v1/config", handler: (request) => pushConfig(dependencies, request) },
    { method: "GET", path: "/api/v1/packages", handler: (request) => listPackages(dependencies, request) },
    {
      method: "POST",
      path: "/api/v1/packages/offer",
      handler: (request) => offerPackages(dependencies, request),
    },
    {
      method: "POST",
      path: "/api/v1/packages/rescan",
      handler: (request) => rescanPackages(dependencies, request),
    },
  ];
}
