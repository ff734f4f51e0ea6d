import swagger from "@fastify/swagger";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import * as z from "zod";
import type { Api } from "./api.ts";
import { type DocumentedApi, documentPage } from "./document-page.ts";
import { listProblems } from "./problem.ts";

/** Has every route that is added from now on described, by the schemas that it runs by. */
export async function describeRoutes(api: Api): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "opamp-server",
        description:
          "The management API of opamp-server. Every answer that is no success is application/problem+json; " +
          "a query parameter that is not listed is refused.",
        version: "1",
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (source) => withoutUnused(jsonSchemaTransformObject(source)),
  });
}

/** The description of this API, for programs and for people. */
export function documentRoutes(api: Api): void {
  api.get(
    "/api/v1/openapi.json",
    {
      config: { role: "anyone" },
      schema: {
        tags: ["documentation"],
        summary: "This API as an OpenAPI 3.1 document",
        response: { 200: z.record(z.string(), z.unknown()) },
      },
    },
    async () => ({ ...api.swagger() }),
  );

  api.get(
    "/api/v1/docs",
    {
      config: { role: "anyone" },
      schema: { tags: ["documentation"], summary: "This API as a page to read", produces: ["text/html"] },
    },
    (_request, reply) =>
      reply
        .headers({
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        })
        .send(Buffer.from(documentPage(api.swagger() as DocumentedApi, listProblems()))),
  );
}

interface SchemasAndPaths {
  readonly paths?: object;
  readonly components?: { readonly schemas?: Readonly<Record<string, object>> };
}

/** Each schema is described twice, as taken and as given; most are needed once. */
function withoutUnused<T extends object>(document: T): T {
  const { paths, components } = document as SchemasAndPaths;
  const used = new Set<string>();
  const collect = (part: unknown): void => {
    for (const [, name = ""] of JSON.stringify(part ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      collect(components?.schemas?.[name]);
    }
  };
  collect(paths);
  const kept = Object.entries(components?.schemas ?? {}).filter(([name]) => used.has(name));
  return { ...document, components: { ...components, schemas: Object.fromEntries(kept) } };
}
