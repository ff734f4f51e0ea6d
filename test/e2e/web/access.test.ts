import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withBrowser } from "../../support/browser.ts";
import { fetchBytes, fetchJson } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";
import { tempDir } from "../../support/temp-dir.ts";

const browser = withBrowser();
const adminKey = `opamp_${"a1b2c3d4".repeat(4)}`;

async function serving() {
  const file = join(tempDir(), "admin-key");
  await writeFile(file, adminKey, { mode: 0o600 });
  const settings = `${onFreePorts}access:\n  admin_key_file: ${file}\n`;
  const { management } = await new ServerProcess("--config", await settingsFile(settings)).urls();
  const keyOf = async (role: string) => {
    const { json } = await fetchJson<{ secret: string }>(new URL("/api/v1/tokens", management), {
      method: "POST",
      headers: { authorization: `Bearer ${adminKey}` },
      body: JSON.stringify({ name: `a ${role}`, role }),
    });
    return json.secret;
  };
  return { management, keyOf };
}

describe("who may do what", () => {
  it("is asked before anything is shown, and forgotten with the page unless one chooses otherwise", async () => {
    const { management } = await serving();
    const page = await browser.open(management);
    const key = page.getByLabel("API key");
    await key.fill("opamp_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("[aria-invalid=true]").waitFor();
    await key.fill(adminKey);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Fleet" }).waitFor();
    expect(page.url()).not.toContain(adminKey);
    await page.reload();
    await key.fill(adminKey);
    await page.getByLabel("Keep it in this tab").check();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Fleet" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Fleet" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await key.waitFor();
    expect(await page.evaluate<string>("JSON.stringify([sessionStorage, localStorage])")).not.toContain(
      adminKey,
    );
  });

  it("decides what is offered", async () => {
    const { management, keyOf } = await serving();
    const page = await browser.open(management);
    await page.getByLabel("API key").fill(await keyOf("viewer"));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("link", { name: "Rollouts" }).click();
    await page.getByRole("heading", { name: "Rollouts" }).waitFor();
    expect(await page.getByRole("link", { name: "New rollout" }).count()).toBe(0);
    await page.getByRole("link", { name: "Access" }).click();
    await page.getByText("API keys are shown to the role admin.").waitFor();
    await page.getByRole("link", { name: "Audit" }).click();
    await page.getByText("The audit log is shown to operators and admins.").waitFor();
  });

  it("is changed here: a key is shown once, revoked with a reason, and both are on record", async () => {
    const { management } = await serving();
    const page = await browser.open(management);
    await page.getByLabel("API key").fill(adminKey);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("link", { name: "Access" }).click();
    await page.getByLabel("Name").fill("nightly");
    await page.getByLabel("Role").selectOption("operator");
    await page.getByRole("button", { name: "Make key" }).click();
    const secret = await page.locator(".secret-text").textContent();
    const whoami = new URL("/api/v1/whoami", management);
    const asNightly = { headers: { authorization: `Bearer ${secret}` } };
    expect((await fetchJson(whoami, asNightly)).json).toMatchObject({ name: "nightly", role: "operator" });
    await page.getByRole("button", { name: "I have kept it" }).click();
    expect(await page.content()).not.toContain(secret);
    await page.getByRole("button", { name: "Revoke nightly" }).click();
    await page.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByText("Say why").waitFor();
    await page.getByLabel("Reason").fill("left the team");
    await page.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByText("revoked", { exact: true }).waitFor();
    expect((await fetchBytes(whoami, asNightly)).status).toBe(401);
    await page.getByRole("link", { name: "Audit" }).click();
    await page.getByText("“left the team”").waitFor();
    await page.getByRole("searchbox", { name: "Search" }).fill("DELETE");
    await page.locator(".history > li").nth(1).waitFor({ state: "detached" });
    expect(await page.locator(".history > li").count()).toBe(1);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("Every entry fits the one before it.").waitFor();
  });

  it("ends with the key: whoever is signed in by it is signed out", async () => {
    const { management, keyOf } = await serving();
    const page = await browser.open(management);
    await page.getByLabel("API key").fill(await keyOf("operator"));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Fleet" }).waitFor();
    const admin = { headers: { authorization: `Bearer ${adminKey}` } };
    const tokens = new URL("/api/v1/tokens", management);
    const { json } = await fetchJson<{ tokens: { id: string }[] }>(tokens, admin);
    const path = `/api/v1/tokens/${json.tokens[0]!.id}`;
    await fetchBytes(new URL(path, management), { ...admin, method: "DELETE" });
    await page.getByRole("link", { name: "Rollouts" }).click();
    await page.getByLabel("API key").waitFor();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Sign in to opamp-server");
  });
});
