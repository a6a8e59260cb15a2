import { Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { NerifError } from "../batch/errors.ts";
import { free, isGivenAway } from "../service/owned-bytes.ts";
import { missingParameter } from "../service/refusals.ts";

/** What a form may have; how large its file may be is the business of what takes it. */
const limits = {
  files: 1,
  fields: 16,
  parts: 18,
  fieldSize: 16 * 1024,
  headerPairs: 32,
  headerSize: 16 * 1024,
};

/** Bytes of the file that wait for the disk. */
const fileBuffer = 256 * 1024;

/** What the bytes of a form's file go to. */
export interface FormTarget {
  /** Resolves when more may come. What it refuses, the form is refused for. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Forgets the bytes. Called at any time and more than once. */
  discard(): Promise<void>;
}

export interface ReceivedForm<T extends FormTarget> {
  /** Its bytes are written, and nothing is visible yet. */
  file: T;
  filename: string;
  /** The text fields by name. */
  fields: ReadonlyMap<string, string>;
}

interface FormOptions<T> {
  fileField: string;
  begin: () => Promise<T>;
}

/**
 * Streams a form with one file to `begin()`'s file, in whatever order its parts come. When the form is bad or
 * breaks off, the file is discarded.
 *
 * @param fileField name of the part that is the file
 * @throws NerifError `invalid_request`, `missing_required_parameter`, `aborted`, `disk_full`
 */
export async function receiveForm<T extends FormTarget>(
  request: Request,
  { fileField, begin }: FormOptions<T>,
): Promise<ReceivedForm<T>> {
  const parser = createParser(request, fileField);
  const form = collectForm(parser, { fileField, begin });
  try {
    await Promise.race([pump(request, parser), form.failed]);
    return await form.finish();
  } catch (reason) {
    await form.discard();
    throw reason;
  }
}

function createParser(request: Request, fileField: string): BusboyInstance {
  const type = request.headers.get("content-type") ?? "";
  // The parser takes other kinds of forms as well, which cannot hold a file.
  if (!/^multipart\/form-data[ \t]*;/i.test(type)) throw notMultipart();
  try {
    return new Busboy({
      headers: { "content-type": type },
      limits,
      fileHwm: fileBuffer,
      isPartAFile: (name, _type, filename) => name === fileField || filename !== undefined,
    });
  } catch (cause) {
    throw notMultipart({ cause });
  }
}

/** Feeds the parser as fast as it takes the bytes, and resolves when it has seen the end of the form. */
async function pump(request: Request, parser: BusboyInstance): Promise<void> {
  const done = finished(parser, { readable: false });
  // Whoever fails first tells; this promise may stay behind unobserved.
  done.catch(() => {});
  try {
    for await (const chunk of request.body ?? []) {
      await new Promise<void>((resolve) => parser.write(chunk, () => resolve()));
    }
  } catch (cause) {
    throw new NerifError("aborted", "Cannot read the upload: the connection broke off", { cause });
  }
  parser.end();
  await done;
}

interface FormCollector<T extends FormTarget> {
  /** Rejects as soon as the form is refused. */
  failed: Promise<never>;
  finish(): Promise<ReceivedForm<T>>;
  discard(): Promise<void>;
}

function collectForm<T extends FormTarget>(
  parser: BusboyInstance,
  { fileField, begin }: FormOptions<T>,
): FormCollector<T> {
  const fields = new Map<string, string>();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const abandoned = new AbortController();
  let saving: Promise<T> | null = null;
  let filename = "";

  const refuse = (reason: string) => failure.reject(bad(reason));
  parser.on("error", (cause: unknown) =>
    failure.reject(bad("its form is malformed or incomplete", { cause })),
  );
  parser.on("filesLimit", () => refuse("it has more than one file"));
  parser.on("fieldsLimit", () => refuse(`it has more than ${limits.fields} fields`));
  parser.on("partsLimit", () => refuse(`it has more than ${limits.parts} parts`));
  // The parser's types promise a name; a part may come without one all the same.
  parser.on("field", (name: string | undefined, value: string, _nameCut: boolean, valueCut: boolean) => {
    if (name === undefined) refuse("one of its parts has no name");
    else if (valueCut) refuse(`one of its fields is larger than ${limits.fieldSize} bytes`);
    else if (fields.has(name)) refuse(`its field '${name.slice(0, 80)}' is there twice`);
    else fields.set(name, value);
  });
  parser.on("file", (name: string | undefined, bytes: BusboyFileStream, givenName: string | undefined) => {
    if (name !== fileField) {
      bytes.on("error", () => {});
      bytes.resume();
      const part = name === undefined ? "a part without a name" : `the part '${name.slice(0, 80)}'`;
      refuse(`its file is in ${part}, and must be in '${fileField}'`);
      return;
    }
    filename = givenName || "upload";
    saving = save(bytes, { begin, signal: abandoned.signal });
    saving.catch(failure.reject);
  });

  return {
    failed: failure.promise,
    async finish() {
      if (saving === null) throw missingParameter(fileField);
      // A failure of the form counts also when it comes after the last byte of the file.
      const file = await Promise.race([saving, failure.promise]);
      return { file, filename, fields };
    },
    async discard() {
      parser.destroy();
      abandoned.abort();
      // Whatever `begin` opens is discarded by `save` itself, which ends with its stream.
      const file = await saving?.catch(() => null);
      await file?.discard();
    },
  };
}

async function save<T extends FormTarget>(
  bytes: BusboyFileStream,
  { begin, signal }: { begin: () => Promise<T>; signal: AbortSignal },
): Promise<T> {
  // Without a listener an error before the first read would end the process.
  bytes.on("error", () => {});
  const file = await begin();
  try {
    await pipeline(bytes, writableOf(file), { signal });
    return file;
  } catch (reason) {
    await file.discard();
    throw reason;
  }
}

/** A stream that is read through an iterator would copy whatever has gathered into one new buffer each time. */
function writableOf(file: FormTarget): Writable {
  let last: ArrayBufferLike | null = null;

  async function write(chunks: readonly Uint8Array[]): Promise<void> {
    await file.write(chunks);
    for (const { buffer } of chunks) {
      // The parser cuts chunks out of one buffer and may put bytes of its own between them; when it is at the next
      // buffer from the socket, it is done with this one.
      if (buffer === last || !isGivenAway(buffer)) continue;
      if (last !== null) free(last);
      last = buffer;
    }
  }

  return new Writable({
    highWaterMark: fileBuffer,
    write: (chunk, _encoding, done) => void write([chunk]).then(() => done(), done),
    writev: (waiting, done) => void write(waiting.map(({ chunk }) => chunk)).then(() => done(), done),
  });
}

function notMultipart(options: { cause?: unknown } = {}): NerifError {
  return bad("its Content-Type must be multipart/form-data with a boundary", options);
}

function bad(reason: string, options: { cause?: unknown } = {}): NerifError {
  return new NerifError("invalid_request", `Cannot read the upload: ${reason}`, options);
}
