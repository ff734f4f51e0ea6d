// What the deb and the rpm are made of: https://nfpm.goreleaser.com/configuration
import { join } from "node:path";

/** In the terms of Go, as nfpm wants them. */
const architectures = { x64: "amd64", arm64: "arm64" };
const home = "/opt/opamp-supervisor";
const group = "opamp-supervisor";

/**
 * nfpm's configuration, as an object, for the tree of the tarball of that architecture; `mtime` is ISO 8601, and
 * `folder` this one.
 */
export function nfpmConfig({ arch, version, release, mtime, tree, folder, fast }) {
  const scripts = (name) => join(folder, "scripts", `${name}.sh`);
  return {
    name: "opamp-supervisor",
    arch: architectures[arch],
    platform: "linux",
    version,
    release,
    section: "admin",
    priority: "optional",
    maintainer: "The opamp-supervisor authors <opamp-supervisor@localhost>",
    description:
      "Keeps an OpenTelemetry Collector alive and lets an OpAMP server change it safely.\n" +
      "Brings its own Node.js and opamp-server, the control plane; the Collector is not part of it.",
    license: "Apache-2.0",
    mtime,
    scripts: {
      preinstall: scripts("preinstall"),
      postinstall: scripts("postinstall"),
      preremove: scripts("preremove"),
      postremove: scripts("postremove"),
    },
    overrides: {
      deb: { depends: ["passwd", "libc6", "libstdc++6"] },
      rpm: { depends: ["shadow-utils", "glibc", "libstdc++"] },
    },
    deb: { compression: fast ? "none" : "gzip" },
    rpm: { compression: fast ? "gzip:1" : "gzip:9", buildhost: "localhost" },
    contents: [
      { src: tree, dst: home, type: "tree", file_info: { mtime } },
      ...["opamp-supervisor", "opamp-server", "opamp-supervisor-take-over"].map((program) => ({
        src: `${home}/bin/${program}`,
        dst: `/usr/bin/${program}`,
        type: "symlink",
        file_info: { mtime },
      })),
      ...["opamp-supervisor.service", "opamp-server.service"].map((unit) => ({
        src: join(tree, "systemd", unit),
        dst: `/usr/lib/systemd/system/${unit}`,
        file_info: { mode: 0o644, mtime },
      })),
      { dst: "/etc/opamp-supervisor", type: "dir", file_info: { mode: 0o750, group, mtime } },
      { dst: "/etc/opamp-server", type: "dir", file_info: { mode: 0o750, group: "opamp-server", mtime } },
      {
        src: join(folder, "environment"),
        dst: "/etc/opamp-supervisor/environment",
        type: "config|noreplace",
        file_info: { mode: 0o640, group, mtime },
      },
    ],
  };
}
