import { promisify } from "node:util";
import zlib from "node:zlib";

/** What became of a compressed body. */
export type Decoded = Buffer | "too_large" | "damaged";

type Decoder = (raw: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>;

const gunzip: Decoder = promisify(zlib.gunzip);
const inflate: Decoder = promisify(zlib.inflate);
const inflateRaw: Decoder = promisify(zlib.inflateRaw);
const brotli: Decoder = promisify(zlib.brotliDecompress);
const unzstd: (raw: Buffer, options: zlib.ZstdOptions) => Promise<Buffer> = promisify(zlib.zstdDecompress);

const decoders: Record<string, Decoder> = {
  identity: async (raw) => raw,
  gzip: gunzip,
  "x-gzip": gunzip,
  // Some servers send the bare stream under this name, without the header that the standard asks for.
  deflate: (raw, limits) => inflate(raw, limits).catch((reason) => retryRaw(raw, { limits, reason })),
  br: brotli,
  // 8 MiB, the limit of RFC 9659: by default a frame may ask for a window of 128 MiB.
  zstd: (raw, limits) => unzstd(raw, { ...limits, params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } }),
};

/** Bodies that are unfolded at once, in the whole process: each may take `maxBytes` while it is. */
const mostAtOnce = 2;

/** More layers than this are a bomb, not an answer. */
const maxLayers = 2;

/**
 * Undoes the `content-encoding` of an answer: we ask for none, but some upstreams compress anyway. Never produces
 * more than `maxBytes`, however much the body would unfold to.
 */
export async function decodeBody(
  raw: Buffer,
  { encoding, maxBytes }: { encoding: string; maxBytes: number },
): Promise<Decoded> {
  await begin();
  try {
    return await unfold(raw, { encoding, maxBytes });
  } finally {
    end();
  }
}

const waiting: (() => void)[] = [];
let running = 0;

function begin(): Promise<void> | void {
  if (running >= mostAtOnce) return new Promise((resolve) => waiting.push(resolve));
  running += 1;
}

/** The next one takes over the place of the one that has ended. */
function end(): void {
  const next = waiting.shift();
  if (next === undefined) running -= 1;
  else next();
}

async function unfold(
  raw: Buffer,
  { encoding, maxBytes }: { encoding: string; maxBytes: number },
): Promise<Decoded> {
  const layers = encoding.toLowerCase().split(",", maxLayers + 1);
  if (layers.length > maxLayers) return "damaged";
  let body = raw;
  for (const layer of layers.reverse()) {
    const decoder = decoders[layer.trim()];
    if (decoder === undefined) return "damaged";
    try {
      body = await decoder(body, { maxOutputLength: maxBytes });
    } catch (reason) {
      return isTooLarge(reason) ? "too_large" : "damaged";
    }
  }
  return body;
}

async function retryRaw(
  raw: Buffer,
  { limits, reason }: { limits: { maxOutputLength: number }; reason: unknown },
): Promise<Buffer> {
  if (isTooLarge(reason)) throw reason;
  return inflateRaw(raw, limits);
}

function isTooLarge(reason: unknown): boolean {
  return reason instanceof Error && "code" in reason && reason.code === "ERR_BUFFER_TOO_LARGE";
}
