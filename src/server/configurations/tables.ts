/** Versions of named configurations, never changed once there. Times are in milliseconds. */
interface ConfigurationVersionsTable {
  name: string;
  /** 1, 2, 3 … of each name. */
  version: number;
  /** Of its content, in hexadecimal. */
  digest: string;
  /** AgentConfigMap as it was posted; of a template one entry, whose YAML has places for variables. */
  body: Uint8Array;
  /** JSON; null: no template. */
  variables: string | null;
  author: string;
  message: string;
  created_at: number;
}

/** What a configuration of `configurations` was made of. */
interface ConfigurationRenderingsTable {
  /** Hexadecimal. */
  hash: string;
  /** JSON list of names, versions and values. */
  layers: string;
  created_at: number;
}

/** What named configurations keep. */
export interface ConfigurationTables {
  configuration_versions: ConfigurationVersionsTable;
  configuration_renderings: ConfigurationRenderingsTable;
}
