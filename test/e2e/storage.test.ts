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
  const [one, other] = await Promise.all([startServeProcess({ upstream }), startServeProcess({ upstream })]);
  const { status } = await fetch(`${one.url}/v1/files`, { method: "POST", body: inputForm(line) });
  expect(status).toBe(200);
  expect(await storedKeys(one.dataDir)).toHaveLength(1);
  expect(await (await fetch(`${other.url}/v1/files`)).json()).toMatchObject({ data: [] });
  expect(existsSync(join(one.dataDir, "nerif.db"))).toBe(isLocal);
});
