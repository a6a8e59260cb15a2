import type { SegmentId } from "./journal.ts";

/*
 * Names of objects, so that listing them tells nearly everything:
 *
 * journal/<batch id>/log-<writer>-<number>-<segments>   one flush of one worker; its segments as `<shard>.<epoch>`
 *                                                        joined by `_`, or `many`
 * journal/<batch id>/seg-<shard>-<epoch>                 one segment whole, once it is closed
 * journal/<batch id>/seg-<shard>-<epoch>-<position>      a piece of one, from a position on; all of them when it is closed
 *
 * Numbers have base 36.
 */

export const journalFolder = "journal/";
/** Some servers keep each part of a key as a name in a directory, which has 255 bytes at most. */
const longestList = 150;
const many = "many";

export function batchFolder(batchId: string): string {
  return `${journalFolder}${batchId}/`;
}

export function batchOf(name: string): string {
  return name.slice(journalFolder.length, name.indexOf("/", journalFolder.length));
}

export function logsOf(batchId: string): string {
  return `${batchFolder(batchId)}log-`;
}

export function logName(log: {
  batchId: string;
  writer: string;
  nth: number;
  ids: readonly SegmentId[];
}): string {
  const list = log.ids.map(segmentIn).join("_");
  const nth = log.nth.toString(36);
  return `${logsOf(log.batchId)}${log.writer}-${nth}-${list.length > longestList ? many : list}`;
}

/** Whether a log may have records of a segment. */
export function mayHold(name: string, id: SegmentId): boolean {
  const list = name.slice(name.lastIndexOf("-") + 1);
  return list === many || list.split("_").includes(segmentIn(id));
}

export function segmentName(id: SegmentId): string {
  return `${segmentsOf(id.batchId, id.shard)}${id.epoch.toString(36)}`;
}

export function pieceName(id: SegmentId, start: number): string {
  return `${piecesOf(id)}${start.toString(36)}`;
}

/** What the names of a segment's pieces begin with; they are in no order. */
export function piecesOf(id: SegmentId): string {
  return `${segmentName(id)}-`;
}

export function startOfPiece(name: string): number {
  return Number.parseInt(name.slice(name.lastIndexOf("-") + 1), 36);
}

/** What the names of a shard's closed segments begin with. */
export function segmentsOf(batchId: string, shard: number): string {
  return `${batchFolder(batchId)}seg-${shard.toString(36)}-`;
}

/** The segments that a name tells; null when it leaves them out. */
export function segmentsIn(name: string): SegmentNumbers[] | null {
  const [kind, ...rest] = name.slice(name.lastIndexOf("/") + 1).split("-");
  const list = kind === "seg" ? rest.join(".") : (rest.at(-1) ?? "");
  if (list === many) return null;
  return list.split("_").map((one) => {
    const [shard = Number.NaN, epoch = Number.NaN] = one.split(".").map((text) => Number.parseInt(text, 36));
    return { shard, epoch };
  });
}

export interface SegmentNumbers {
  shard: number;
  epoch: number;
}

function segmentIn({ shard, epoch }: SegmentNumbers): string {
  return `${shard.toString(36)}.${epoch.toString(36)}`;
}
