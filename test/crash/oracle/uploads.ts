import { hash } from "node:crypto";
import type { FileObject } from "../../../src/batch/file.ts";
import type { UploadObject } from "../../../src/batch/upload.ts";
import { type Answered, createCall } from "./calls.ts";
import { type KnownFile, knownFile } from "./requests.ts";
import type { ServeWorld } from "./serve-world.ts";

/** A client that uploads files in parts, and remembers which parts and which ends it was told of. */
export interface Uploader {
  /** The next step of one of its uploads. */
  act(): Promise<void>;
  counts(): Record<string, number>;
}

interface Upload {
  id: string;
  file: KnownFile;
  pieces: Buffer[];
  /** Id of the acknowledged part of each piece, or null. */
  parts: (string | null)[];
  /** `completing` and `cancelling`: it was asked for, and nobody answered. */
  state: "open" | "completing" | "completed" | "cancelling" | "cancelled";
}

const mostUploads = 4;

/** Adds to the checks of the world: parts and uploads that were acknowledged are there, whole. */
export function createUploader(
  world: ServeWorld,
  { name, random }: { name: string; random: () => number },
): Uploader {
  const { history, driver, server, checks } = world;
  const call = createCall(history, server.ask);
  const uploads: Upload[] = [];
  let begun = 0;
  checks.push(check);

  async function act(): Promise<void> {
    const open = uploads.filter(({ state }) => state !== "completed" && state !== "cancelled");
    if (begun < mostUploads && (open.length === 0 || random() < 0.2)) return begin();
    const upload = open[Math.floor(random() * open.length)];
    if (upload === undefined) return;
    const missing = [...upload.parts.keys()].filter((index) => upload.parts[index] === null);
    if (upload.state === "cancelling" || (upload.state === "open" && random() < 0.04)) await cancel(upload);
    else if (missing.length > 0) await Promise.all(missing.slice(-2).map((index) => add(upload, index)));
    else if ((await complete(upload)) && random() < 0.5) await use(upload);
  }

  async function begin(): Promise<void> {
    begun += 1;
    const file = knownFile(`${name}-parts-${begun}`, 20 + Math.floor(random() * 400));
    history.sent.set(file.sha256, file);
    const bytes = Buffer.from(file.text);
    const params = {
      filename: nameOf(file),
      purpose: "batch",
      bytes: bytes.length,
      mime_type: "application/jsonl",
    };
    const answer = await call<UploadObject>("begin upload", "/v1/uploads", post(params));
    if (answer?.status !== 200) return;
    const pieces = cut(bytes, random);
    uploads.push({ id: answer.body.id, file, pieces, parts: pieces.map(() => null), state: "open" });
  }

  async function add(upload: Upload, index: number): Promise<void> {
    const form = new FormData();
    form.set("data", new Blob([Uint8Array.from(upload.pieces[index] ?? [])]), "piece");
    const path = `/v1/uploads/${upload.id}/parts`;
    const answer = await call<{ id: string }>("add part", path, { method: "POST", body: form });
    if (answer?.status === 200) upload.parts[index] = answer.body.id;
    else if (answer !== null) refused(upload, "a part", answer);
  }

  async function complete(upload: Upload): Promise<boolean> {
    const wasAsked = upload.state === "completing";
    upload.state = "completing";
    const md5 = hash("md5", upload.file.text);
    const path = `/v1/uploads/${upload.id}/complete`;
    const answer = await call<UploadObject & { file: FileObject }>(
      "complete upload",
      path,
      post({ part_ids: upload.parts, md5 }),
    );
    if (answer === null) return false;
    const isDone = answer.status === 200 || (answer.status === 409 && wasAsked);
    if (isDone) upload.state = "completed";
    else refused(upload, "its completion", answer);
    if (answer.status !== 200) return false;
    history.files.set(answer.body.file.id, { file: upload.file, removal: "none" });
    return true;
  }

  async function cancel(upload: Upload): Promise<void> {
    upload.state = "cancelling";
    const answer = await call<UploadObject>("cancel upload", `/v1/uploads/${upload.id}/cancel`, post({}));
    if (answer?.status === 200) upload.state = "cancelled";
    else if (answer !== null) refused(upload, "its cancellation", answer);
  }

  /** No file is used twice: two batches of one file would look like repeated calls. */
  async function use(upload: Upload): Promise<void> {
    const entry = [...history.files].find(([, { file }]) => file === upload.file);
    if (entry !== undefined) await driver.create(entry[0], "24h");
  }

  function refused({ id, state }: Upload, what: string, { status, body }: Answered<unknown>): void {
    history.violations.push(`I1 ${what} of the ${state} upload ${id}: ${status} ${JSON.stringify(body)}`);
  }

  /** What is open is sent to its end, of the parts that were acknowledged before. */
  async function check(): Promise<string[]> {
    const before = history.violations.length;
    for (const upload of uploads) {
      if (upload.state === "cancelling") await cancel(upload);
      if (upload.state !== "open" && upload.state !== "completing") continue;
      for (const [index, part] of upload.parts.entries()) if (part === null) await add(upload, index);
      await complete(upload);
    }
    const violations = history.violations.slice(before);
    const { data: files } = (await (await server.ask("/v1/files?limit=1000")).json()) as {
      data: FileObject[];
    };
    for (const { id, file, state } of uploads) {
      const found = files.filter(({ filename }) => filename === nameOf(file));
      const removed = [...history.files.values()].some(
        (known) => known.file === file && known.removal !== "none",
      );
      const wanted = state === "completed" && !removed ? 1 : 0;
      if (found.length < wanted || found.length > (state === "completed" ? 1 : 0))
        violations.push(`I1 the ${state} upload ${id} has ${found.length} files`);
      for (const { id: fileId } of found) {
        const content = await (await server.ask(`/v1/files/${fileId}/content`)).text();
        if (content !== file.text) violations.push(`I1 file ${fileId} of upload ${id} has other bytes`);
      }
    }
    return violations;
  }

  return {
    act,
    counts: () => ({
      "uploads completed": uploads.filter(({ state }) => state === "completed").length,
      parts: uploads.flatMap(({ parts }) => parts).filter((part) => part !== null).length,
    }),
  };
}

function nameOf({ sha256 }: KnownFile): string {
  return `${sha256.slice(0, 32)}.jsonl`;
}

function cut(bytes: Buffer, random: () => number): Buffer[] {
  const places = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
    Math.floor(random() * bytes.length),
  );
  const ends = [...new Set([...places, bytes.length])].filter((end) => end > 0).sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

function post(body: object): RequestInit {
  return { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}
