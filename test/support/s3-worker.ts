import { openS3Storage, type S3Options } from "../../src/compose-s3.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { createSystemClock } from "../../src/engine/clock.ts";
import { silentLogger } from "../../src/engine/deps.ts";
import { createEngine } from "../../src/engine/executor.ts";
import { defaultSettings } from "../../src/engine/settings.ts";
import { createHttpUpstream } from "../../src/upstreams/http.ts";

// A process of its own for tests: it executes what a control store holds, with files and journal in S3, until it is killed.

const [, , path = "", s3 = "{}", url = ""] = process.argv;
const options: S3Options = JSON.parse(s3);

const control = await openSqliteControlStore({ path });
const { files, journal } = await openS3Storage(options);
const upstream = createHttpUpstream({ name: "model", url, concurrency: 16 });
const lock = { acquire: async () => true, holder: async () => null, release: async () => {} };
const engine = createEngine({
  ...{ control, files, journal, lock, log: silentLogger, settings: defaultSettings },
  clock: createSystemClock(),
  pickUpstreams: () => [upstream],
  knowsModel: () => true,
});
await engine.start();
