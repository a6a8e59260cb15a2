import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openTestInstance, requestLine, uploadInput } from "../support/http-instance.ts";
import { startServeProcess } from "../support/http-process.ts";
import { inputForm } from "../support/http-server.ts";
import { testCluster } from "../support/storage.ts";
import { storedKeys } from "../support/stored.ts";

const line = `${requestLine("a")}\n`;
const isLocal = testCluster() === null;

it("tests keep everything where their project says, and nothing elsewhere", async () => {
  const { dataDir, ...instance } = await openTestInstance();
  const { id } = await uploadInput({ dataDir, ...instance }, line);
  expect(await storedKeys(dataDir)).toEqual([id]);
  expect([existsSync(join(dataDir, "nerif.db")), existsSync(join(dataDir, "files"))]).toEqual([
    isLocal,
    isLocal,
  ]);
});

it("processes of tests do as well, each with a database and files of its own", async () => {
  const upstream = "http://127.0.0.1:9/v1";
  const servers = await Promise.all([startServeProcess({ upstream }), startServeProcess({ upstream })]);
  for (const [index, { url, dataDir }] of servers.entries()) {
    if (index === 0) await fetch(`${url}/v1/files`, { method: "POST", body: inputForm(line) });
    expect(await storedKeys(dataDir)).toHaveLength(index === 0 ? 1 : 0);
    const { data } = (await (await fetch(`${url}/v1/files`)).json()) as { data: unknown[] };
    expect(data).toHaveLength(index === 0 ? 1 : 0);
    expect(existsSync(join(dataDir, "nerif.db"))).toBe(isLocal);
  }
});
