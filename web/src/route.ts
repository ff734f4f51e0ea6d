import { createStore, useStore } from "./store.ts";

/** Where one is: behind the `#`, so that the server serves one page and every place can be linked to. */
export interface Route {
  /** Its parts, decoded: `["agents", "0198…"]`. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

const current = createStore(readRoute());

window.addEventListener("hashchange", () => current.set(readRoute()));

export function useRoute(): Route {
  return useStore(current);
}

/** The address of a place. */
export function hrefTo(
  path: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) parameters.set(name, value);
  const text = parameters.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
}

export function goTo(href: string): void {
  window.location.hash = href;
}

/** Changes the address without a step in the history, as while somebody types. */
export function replaceWith(href: string): void {
  window.history.replaceState(null, "", href);
  current.set(readRoute());
}

function readRoute(): Route {
  const [path = "", query = ""] = window.location.hash.replace(/^#\/?/, "").split("?", 2);
  return {
    path: path.split("/").filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
