import { createStore } from "./store.ts";

export const schemeNames = { auto: "Auto", light: "Light", dark: "Dark" } as const;
type Scheme = keyof typeof schemeNames;

const storageKey = "opamp-server-colours";

/** Light, dark, or as the system has it. */
export const schemeStore = createStore<Scheme>(schemeOf(localStorage.getItem(storageKey)));

export function setScheme(name: string): void {
  const scheme = schemeOf(name);
  localStorage.setItem(storageKey, scheme);
  schemeStore.set(scheme);
  applyScheme();
}

export function applyScheme(): void {
  const scheme = schemeStore.get();
  if (scheme === "auto") delete document.documentElement.dataset.scheme;
  else document.documentElement.dataset.scheme = scheme;
}

function schemeOf(name: string | null): Scheme {
  return name === "light" || name === "dark" ? name : "auto";
}
