import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { formatInstanceUid, parseInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import {
  AgentRemoteConfigSchema,
  ConnectionSettingsOffersSchema,
  RemoteConfigStatusSchema,
} from "../../../../src/opamp/messages.ts";
import {
  loadMessage,
  ownTelemetryFile,
  remoteConfigFile,
  saveMessage,
} from "../../../../src/supervisor/storage/message-file.ts";
import {
  loadPersistentState,
  savePersistentState,
} from "../../../../src/supervisor/storage/persistent-state.ts";
import { StateDirectory } from "../../../../src/supervisor/storage/state-directory.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const uid = "018fee23-4a51-7303-a441-73faed7d9deb";
let path: string;
let directory: StateDirectory;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "state-"));
  directory = await StateDirectory.open(path, { clock: new ManualClock(), logger: silentLogger });
});
afterEach(() => rm(path, { recursive: true, force: true }));

describe("persistent_state.yaml", () => {
  // As the reference writes it, four spaces and quotes included.
  const ofReference = `instance_id: ${uid}
last_remote_config_status:
    status: 3
    last_remote_config_hash: "0123456789012345"
    error_message: 'bad: "x"'
`;

  it("is read as the reference writes it", async () => {
    await directory.write("persistent_state.yaml", ofReference);
    const state = await loadPersistentState(directory);
    expect(state && formatInstanceUid(state.instanceUid)).toBe(uid);
    expect(state?.remoteConfigStatus).toMatchObject({
      status: 3,
      lastRemoteConfigHash: new Uint8Array(Buffer.from("0123456789012345", "hex")),
      errorMessage: 'bad: "x"',
    });
  });

  it.each([
    ["without hyphens", `instance_id: ${uid.replaceAll("-", "")}\n`],
    ["without a status", `instance_id: ${uid}\nlast_remote_config_status: null\n`],
  ])("is read %s", async (_, content) => {
    await directory.write("persistent_state.yaml", content);
    const state = await loadPersistentState(directory);
    expect(state && formatInstanceUid(state.instanceUid)).toBe(uid);
    expect(state?.remoteConfigStatus.status).toBe(0);
  });

  it.each([
    ["digits only", "00112233445566778899"],
    ["what looks like a float", "1e10"],
    ["nothing", ""],
  ])("keeps a hash of %s", async (_, hash) => {
    const lastRemoteConfigHash = new Uint8Array(Buffer.from(hash, "hex"));
    const errorMessage = 'a "quoted"\nline: \\ # x';
    const remoteConfigStatus = create(RemoteConfigStatusSchema, {
      status: 1,
      lastRemoteConfigHash,
      errorMessage,
    });
    await savePersistentState(directory, { instanceUid: parseInstanceUid(uid)!, remoteConfigStatus });
    expect(await loadPersistentState(directory)).toMatchObject({ remoteConfigStatus });
  });

  it.each([
    ["empty", ""],
    ["truncated", `instance_id: "${uid.slice(0, 20)}`],
    ["foreign", "some: thing\n"],
    ["a list", "- a\n"],
    ["binary", "\u0000\u0001\u0002"],
    ["without a usable UID", "instance_id: 00000000-0000-0000-0000-000000000000\n"],
    ["with an odd UID", "instance_id: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n"],
  ])("is set aside when it is %s", async (_, content) => {
    await directory.write("persistent_state.yaml", content);
    expect(await loadPersistentState(directory)).toBeUndefined();
    expect(await readdir(path)).toEqual([expect.stringMatching(/^persistent_state\.yaml\.corrupt-/)]);
  });
});

describe("the protobuf files of the reference", () => {
  const remote = create(AgentRemoteConfigSchema, {
    config: { configMap: { "": { body: new TextEncoder().encode("a: 1") } } },
    configHash: new Uint8Array([1, 2, 3]),
  });

  it("come back as they were saved", async () => {
    await saveMessage(directory, remoteConfigFile, AgentRemoteConfigSchema, remote);
    expect(await loadMessage(directory, remoteConfigFile, AgentRemoteConfigSchema)).toEqual(remote);
    const offers = create(ConnectionSettingsOffersSchema, { ownLogs: { destinationEndpoint: "http://x" } });
    await saveMessage(directory, ownTelemetryFile, ConnectionSettingsOffersSchema, offers);
    expect(await loadMessage(directory, ownTelemetryFile, ConnectionSettingsOffersSchema)).toEqual(offers);
    expect((await readdir(path)).sort()).toEqual([
      "last_recv_own_telemetry_config.dat",
      "last_recv_remote_config.dat",
    ]);
  });

  it.each([
    ["empty", new Uint8Array()],
    ["truncated", toBinary(AgentRemoteConfigSchema, remote).slice(0, 6)],
    ["something else", new TextEncoder().encode("not protobuf at all")],
  ])("are set aside when they are %s", async (_, content) => {
    await directory.write(remoteConfigFile, content);
    expect(await loadMessage(directory, remoteConfigFile, AgentRemoteConfigSchema)).toBeUndefined();
    expect(await readdir(path)).toEqual([expect.stringMatching(/^last_recv_remote_config\.dat\.corrupt-/)]);
  });
});
