// A parent that is killed: starts a Collector as the supervisor does, says who it is, and waits for its end.
// Arguments: executable, configuration file, log file.
import { closeSync } from "node:fs";
import { silentLogger } from "../../src/foundation/logger.ts";
import { AgentLog } from "../../src/supervisor/collector/agent-log.ts";
import { spawnCollector } from "../../src/supervisor/collector/process.ts";

const [executable = "", config = "", logPath = ""] = process.argv.slice(2);
const logFd = await new AgentLog({ path: logPath, logger: silentLogger }).openForAppend();
const args = ["--config", config];
const collector = await spawnCollector({ executable, args, env: process.env, logFd });
closeSync(logFd);
process.stdout.write(`${JSON.stringify(collector.identity)}\n`);
await collector.exited;
