import { randomUUID } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { FileStore } from "../files/file-store.ts";

/** The file that says which database the files are of. */
const key = "storage-id";

/**
 * Makes sure that control store and files are those of one another, where they lie apart: with the files of another
 * database every batch would be lost, and with none, because they are not mounted, new ones would go nowhere. The
 * first process chooses an id, which is kept in both.
 *
 * @throws NerifError `invalid_configuration` when they are not
 */
export async function claimStorage(stores: { control: ControlStore; files: FileStore }): Promise<void> {
  const { control, files } = stores;
  const known = await control.getStorage();
  // Read afterwards: it is written before the database says that it is there.
  const found = await readId(files);
  if (known === null && found === null) {
    await control.chooseStorage(randomUUID());
    return claimStorage(stores);
  }
  const mark = known ?? (await control.getStorage());
  if (mark === null || (found !== null && found !== mark.id)) throw refusal("belong to another database");
  if (found === null && mark.isPlaced) {
    throw refusal("are not those of this database; maybe the right directory is not mounted");
  }
  if (found === null) await writeId(files, mark.id);
  if (!mark.isPlaced) await control.markStorage(mark.id);
}

async function readId(files: FileStore): Promise<string | null> {
  if ((await files.size(key)) === null) return null;
  const reader = await files.open(key);
  try {
    return (await reader.read(0, 100)).toString().trim();
  } finally {
    await reader.close();
  }
}

async function writeId(files: FileStore, id: string): Promise<void> {
  const writer = await files.create(key);
  await writer.write([Buffer.from(`${id}\n`)]);
  // DURABLE: before the database says that it is there.
  await writer.commit();
}

function refusal(why: string): NerifError {
  return new NerifError("invalid_configuration", `Cannot use these files with this database: they ${why}`);
}
