import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { parseS3Options } from "../../src/compose-s3.ts";
import type { Bucket } from "../../src/s3/bucket.ts";
import { openBucket } from "../../src/s3/open-bucket.ts";
import { storageAt, testCluster } from "./storage.ts";

/** The keys of all files that are kept for a data directory. */
export async function storedKeys(dataDir: string): Promise<string[]> {
  if (testCluster() === null) return readdir(join(dataDir, "files"));
  const keys = await inBucket(dataDir, (bucket) =>
    Array.fromAsync(bucket.list("files/", "look"), ({ key }) => key.slice("files/".length)),
  );
  // Whose files these are; it is none of them.
  return keys.filter((key) => key !== "storage-id");
}

/** The bytes of everything that is kept for a data directory, the database and its log too. */
export async function storedBytes(dataDir: string): Promise<string> {
  if (testCluster() === null) return bytesBelow(dataDir);
  const objects = await inBucket(dataDir, (bucket) =>
    Array.fromAsync(bucket.list("", "look"), async ({ key, bytes }) => {
      if (bytes === 0) return "";
      const chunks = await Array.fromAsync(bucket.read(key, { start: 0, end: bytes }, "look"));
      return Buffer.concat(chunks).toString("latin1");
    }),
  );
  return [...(await rowsOf(String(storageAt(dataDir).databaseUrl))), ...objects].join("\n");
}

async function rowsOf(connectionString: string): Promise<string[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    const { rows: tables } = await client.query(
      "select tablename from pg_tables where schemaname = 'public'",
    );
    const all: string[] = [];
    for (const { tablename } of tables) {
      const { rows } = await client.query(`select t::text as text from ${tablename} t`);
      all.push(...rows.map(({ text }) => text));
    }
    return all;
  } finally {
    await client.end();
  }
}

async function bytesBelow(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1"));
  return (await Promise.all(texts)).join("\n");
}

async function inBucket<T>(dataDir: string, look: (bucket: Bucket) => Promise<T>): Promise<T> {
  const { s3Bucket: url = "", s3Endpoint: endpoint } = storageAt(dataDir);
  const bucket = await openBucket(parseS3Options({ url, endpoint }));
  try {
    return await look(bucket);
  } finally {
    bucket.close();
  }
}
