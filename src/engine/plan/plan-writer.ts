import { NerifError } from "../../batch/errors.ts";
import { type Endpoint, limits } from "../../batch/limits.ts";
import type { NewShard } from "../../control/control-store.ts";
import type { FileStore } from "../../files/file-store.ts";
import {
  blockHeaderBytes,
  encodeFileHeader,
  encodeRecord,
  fileHeaderBytes,
  type PlannedLine,
  recordBytes,
  sealBlock,
  storedEndpoints,
} from "./plan.ts";
import { createPrefixOrder, type PrefixOrder } from "./prefix-order.ts";

export interface PlanWriter {
  /** Takes the next line of the file; a line's shard is known when its block is written. */
  add(planned: PlannedLine): void;
  /** Writes what is full. Returns the shards whose blocks are in the file now. */
  flush(): Promise<NewShard[]>;
  /** Writes the rest and makes the plan durable. Returns the last shards. */
  commit(): Promise<NewShard[]>;
  /** Forgets the plan. Safe to call at any time. */
  abort(): Promise<void>;
}

/** The highest line index; records have 32 bits for it and the set of ids keeps one for itself. */
const maxLine = 2 ** 32 - 2;

/** Shards of one route whose lines are put in the order of their prefixes together. */
const groupedShards = 16;

export interface PlanWriterOptions {
  /** The lines of a route stand in the order of how their bodies begin, some shards at a time. Default: as in the file. */
  groupByPrefix?: boolean | undefined;
}

/**
 * Distributes lines over shards: each of the first routes of a file has one open shard of its own, so that a
 * route that is throttled holds back no other; the lines of all further routes share one.
 *
 * @throws NerifError `disk_full`, `storage_unavailable`, `too_many_lines`, also from the writer's methods
 */
export async function createPlanWriter(
  files: FileStore,
  key: string,
  { groupByPrefix = false }: PlanWriterOptions = {},
): Promise<PlanWriter> {
  const file = await files.create(key);
  const routes = createRoutes();
  let shards = 0;
  let written: Buffer[] = [encodeFileHeader()];
  let writtenBytes = fileHeaderBytes;
  let finished: NewShard[] = [];

  function close(shard: OpenShard): void {
    const { number, bytes, lines, order } = shard;
    if (order === null) write(shard, number, bytes.subarray(0, blockHeaderBytes + lines * recordBytes));
    else for (const block of orderedBlocks(bytes, order.sorted())) write(shard, shards++, block);
  }

  function write({ endpoint, model }: OpenShard, shard: number, block: Buffer): void {
    const lines = (block.length - blockHeaderBytes) / recordBytes;
    const firstLine = firstLineIn(block);
    sealBlock(block, { shard, lines });
    finished.push({ shard, endpoint, model, firstLine, lines, planOffset: writtenBytes });
    written.push(block);
    writtenBytes += block.length;
  }

  async function flush(): Promise<NewShard[]> {
    const [blocks, names] = [written, finished];
    written = [];
    finished = [];
    if (blocks.length > 0) await file.write(blocks);
    return names;
  }

  return {
    add(planned) {
      const { line, request } = planned;
      if (line > maxLine) {
        throw new NerifError(
          "too_many_lines",
          `Cannot plan line index ${line}: a plan has room for ${maxLine + 1}`,
        );
      }
      const route = routes.of(request.endpoint, request.model);
      route.open ??= groupByPrefix ? openGroup(route) : openShard(shards++, route);
      const { open } = route;
      encodeRecord(open.view, blockHeaderBytes + open.lines * recordBytes, planned);
      open.order?.add(planned.bytes.subarray(request.bodyStart, request.bodyEnd));
      open.lines += 1;
      if (open.lines < open.most) return;
      close(open);
      route.open = null;
    },
    flush,
    async commit() {
      for (const route of routes.all()) {
        if (route.open !== null) close(route.open);
        route.open = null;
      }
      const last = await flush();
      // DURABLE: the plan, before the batch turns in_progress and somebody relies on it.
      await file.commit();
      return last;
    },
    abort: () => file.abort(),
  };
}

interface Route {
  endpoint: Endpoint | null;
  model: string | null;
  open: OpenShard | null;
}

interface OpenShard {
  /** Given when the shard begins; those of a group are given when it ends. */
  number: number;
  endpoint: Endpoint | null;
  model: string | null;
  lines: number;
  most: number;
  /** Null where lines stay as they stand in the file. */
  order: PrefixOrder | null;
  bytes: Buffer;
  /** The same memory. */
  view: DataView;
}

interface Routes {
  of(endpoint: Endpoint, model: string | null): Route;
  all(): Iterable<Route>;
}

function createRoutes(): Routes {
  const own: Route[] = [];
  const byEndpoint = new Map(storedEndpoints.map((endpoint) => [endpoint, new Map<string | null, Route>()]));
  const shared: Route = { endpoint: null, model: null, open: null };

  return {
    of(endpoint, model) {
      const known = byEndpoint.get(endpoint)?.get(model);
      if (known !== undefined) return known;
      if (own.length === limits.routes) return shared;
      const route: Route = { endpoint, model, open: null };
      own.push(route);
      byEndpoint.get(endpoint)?.set(model, route);
      return route;
    },
    all: () => [...own, shared],
  };
}

function openShard(number: number, { endpoint, model }: Route): OpenShard {
  const most = limits.shardLines;
  return { number, endpoint, model, lines: 0, most, order: null, ...roomFor(most) };
}

function openGroup({ endpoint, model }: Route): OpenShard {
  const most = groupedShards * limits.shardLines;
  return { number: -1, endpoint, model, lines: 0, most, order: createPrefixOrder(most), ...roomFor(most) };
}

function roomFor(lines: number): { bytes: Buffer; view: DataView } {
  const bytes = Buffer.alloc(blockHeaderBytes + lines * recordBytes);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/** Cuts a group into the blocks of shards; a shard runs in the order of its block. */
function orderedBlocks(group: Buffer, order: Uint32Array): Buffer[] {
  const blocks: Buffer[] = [];
  for (let from = 0; from < order.length; from += limits.shardLines) {
    const some = order.subarray(from, from + limits.shardLines);
    const block = Buffer.alloc(blockHeaderBytes + some.length * recordBytes);
    for (const [to, at] of some.entries()) {
      const start = blockHeaderBytes + at * recordBytes;
      group.copy(block, blockHeaderBytes + to * recordBytes, start, start + recordBytes);
    }
    blocks.push(block);
  }
  return blocks;
}

function firstLineIn(block: Buffer): number {
  let first = Number.POSITIVE_INFINITY;
  for (let at = blockHeaderBytes; at < block.length; at += recordBytes) {
    first = Math.min(first, block.readUInt32LE(at));
  }
  return first;
}
