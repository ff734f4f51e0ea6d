/** What the page shows of an OpenAPI document. */
export interface DocumentedApi {
  readonly info: { readonly title: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: { readonly description?: string };
}

/** A problem's name and its status and title. */
export type DocumentedProblems = readonly (readonly [name: string, status: number, title: string])[];

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;background:#8881;padding:.5rem}
h2{text-transform:capitalize;border-bottom:1px solid #8886}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
:root{color-scheme:light dark}`;

/** The API as HTML that needs nothing from elsewhere. */
export function documentPage(document: DocumentedApi, problems: DocumentedProblems): string {
  const { info, paths = {} } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "other");
  const sections = [...byTag].map(
    ([tag, each]) => `<h2>${escapeHtml(tag)}</h2>${each.map(operationHtml).join("")}`,
  );
  const rows = problems.map(([name, status, title]) =>
    row([`<code id="${name}">${name}</code>`, String(status), escapeHtml(title)]),
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(info.title)}</title>
<meta name="viewport" content="width=device-width"><style>${style}</style></head>
<body><h1>${escapeHtml(info.title)}</h1><p>${escapeHtml(info.description ?? "")}
For programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
${sections.join("\n")}
<h2>Problems</h2><table>${rows.join("\n")}</table></body></html>\n`;
}

function operationHtml(each: { path: string; method: string; operation: Operation }): string {
  const { path, method, operation } = each;
  const { summary = "", parameters = [], requestBody, responses = {} } = operation;
  const rows = parameters.map((parameter) =>
    row([
      `<code>${escapeHtml(parameter.name)}</code>`,
      parameter.in,
      escapeHtml(parameter.description ?? parameter.schema?.description ?? ""),
    ]),
  );
  return `<h3><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h3><p>${escapeHtml(summary)}</p>
${rows.length === 0 ? "" : `<table>${rows.join("")}</table>`}
${requestBody === undefined ? "" : details("Body", requestBody)}
${Object.entries(responses)
  .filter(([status]) => status !== "default")
  .map(([status, response]) => details(`Answer ${status}`, response.content ?? {}))
  .join("")}`;
}

function details(title: string, content: unknown): string {
  const text = JSON.stringify(content, undefined, 2);
  return `<details><summary>${escapeHtml(title)}</summary><pre>${escapeHtml(text)}</pre></details>`;
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
