import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { clusterTests, localNames, reasonToStay } from "./local.ts";

it.each(clusterTests.exclude)("%s, which stays off the cluster, is there", (pattern) => {
  expect(globSync(pattern)).not.toEqual([]);
});

it("tests and groups that stay off the cluster are in files that run on it", () => {
  const texts = globSync(clusterTests.include, { exclude: clusterTests.exclude }).map((path) =>
    readFileSync(path, "utf8"),
  );
  const missing = localNames.filter((name) => {
    // Their beginnings: what follows may be filled in.
    const parts = name.split(" > ").map((part) => `"${part.slice(0, 20)}`);
    return !texts.some((text) => parts.every((part) => text.includes(part)));
  });
  expect(missing).toEqual([]);
});

it("a group stays off the cluster with all its tests, and with none of another group", () => {
  expect(reasonToStay("nerif prune > removes batches")).not.toBeNull();
  expect(reasonToStay("nerif prunes > removes batches")).toBeNull();
});
