import { NerifError } from "../batch/errors.ts";
import { isId, newId } from "../batch/ids.ts";
import { limits } from "../batch/limits.ts";
import { type StoredUpload, type UploadObject, uploadObject, uploadStatus } from "../batch/upload.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import { removeParts } from "../engine/upkeep/upload-parts.ts";
import type { FileStore } from "../files/file-store.ts";
import { answerOnce } from "./answer-once.ts";
import { assembleUpload } from "./complete-upload.ts";
import type { CreateOptions } from "./create-options.ts";
import type { ByteBudgets } from "./quotas.ts";
import { checkCompleteParams, checkUploadParams } from "./upload-params.ts";
import { type StagedPart, stagePart } from "./upload-part.ts";

export interface UploadService {
  /** @throws NerifError `file_too_large` beyond 8 GiB, `invalid_file_format`, and for bad parameters */
  create(
    project: string,
    params: Readonly<Record<string, unknown>>,
    options?: CreateOptions,
  ): Promise<UploadObject>;
  /** A new part, whose bytes come next. @throws NerifError `upload_not_found`, `upload_not_pending`, `quota_exceeded` */
  beginPart(project: string, id: string): Promise<StagedPart>;
  /**
   * Makes a file of the parts in the given order.
   * @throws NerifError `upload_not_found`, `upload_completed`, `upload_not_pending`; refusals of the parameters and
   *   of the file leave the upload pending
   */
  complete(project: string, id: string, params: Readonly<Record<string, unknown>>): Promise<UploadObject>;
  /** @throws NerifError `upload_not_found`, `upload_completed`, `upload_not_pending` when it has expired */
  cancel(project: string, id: string): Promise<UploadObject>;
}

interface UploadServiceDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  budgets: ByteBudgets;
}

/** The use cases around uploads in parts. */
export function createUploadService(deps: UploadServiceDeps): UploadService {
  const { control, clock, budgets } = deps;
  const inTurn = createTurns();

  async function load(project: string, id: string): Promise<StoredUpload> {
    const upload = isId("upload", id) ? await control.getUpload(project, id) : null;
    if (upload !== null) return upload;
    throw new NerifError("upload_not_found", `No such Upload object: ${id.slice(0, 80)}`, { param: "id" });
  }

  /** @param conflict the code for an upload that is completed */
  async function loadOpen(
    project: string,
    id: string,
    { action, conflict }: { action: string; conflict: "upload_completed" | "upload_not_pending" },
  ): Promise<StoredUpload> {
    const upload = await load(project, id);
    const status = uploadStatus(upload, unixSeconds(clock));
    if (status === "pending") return upload;
    throw new NerifError(
      status === "completed" ? conflict : "upload_not_pending",
      `Cannot ${action} upload ${upload.id}: its status is '${status}', and must be 'pending'`,
    );
  }

  /** What fails here is left to the sweeper: the upload has ended, which is what the caller asked for. */
  async function clear(upload: StoredUpload): Promise<void> {
    await removeParts(upload.id, deps).catch(() => {});
  }

  return {
    async create(project, given, options = {}) {
      const { apiKey = null } = options;
      const params = checkUploadParams(given);
      const { filename, purpose, bytes, mime_type, expires_after } = params;
      const now = unixSeconds(clock);
      const upload: StoredUpload = {
        id: newId("upload"),
        project,
        api_key: apiKey?.id ?? null,
        ...{ filename, purpose, bytes, mime_type },
        created_at: now,
        expires_at: now + limits.upload.seconds,
        file_lifetime: expires_after?.seconds ?? null,
        status: "pending",
        file_id: null,
        part_count: 0,
        part_bytes: 0,
      };
      return answerOnce<UploadObject>(
        { project, route: "POST /v1/uploads", params, options },
        {
          control,
          clock,
          async create(recordOf) {
            const answer = uploadObject(upload, null, now);
            await control.insertUpload(upload, { quotas: apiKey?.quotas, answer: recordOf(answer) });
            return answer;
          },
        },
      );
    },

    async beginPart(project, id) {
      const assertOpen = () =>
        loadOpen(project, id, { action: "add a part to", conflict: "upload_not_pending" });
      const upload = await assertOpen();
      // Whoever sends the part: it is stored for the key that began the upload.
      const owner = upload.api_key === null ? null : await control.getApiKey(upload.api_key);
      const budget = await budgets.begin(owner);
      return stagePart({ ...deps, upload, assertOpen, budget, quotas: owner?.quotas });
    },

    async complete(project, id, params) {
      const assertOpen = () => loadOpen(project, id, { action: "complete", conflict: "upload_completed" });
      await assertOpen();
      const checked = checkCompleteParams(params);
      // One at a time: each copies all bytes, and only one can succeed.
      return inTurn(id, async () => {
        const upload = await assertOpen();
        const file = await assembleUpload(upload, checked, { ...deps, assertOpen });
        await clear(upload);
        return uploadObject({ ...upload, status: "completed", file_id: file.id }, file, unixSeconds(clock));
      });
    },

    async cancel(project, id) {
      for (;;) {
        const upload = await load(project, id);
        const now = unixSeconds(clock);
        if (upload.status !== "cancelled") {
          await loadOpen(project, id, { action: "cancel", conflict: "upload_completed" });
          // False: somebody else ended it just now; how decides anew.
          if (!(await control.cancelUpload(id, now))) continue;
        }
        await clear(upload);
        return uploadObject({ ...upload, status: "cancelled" }, null, now);
      }
    },
  };
}

/** Runs what is asked for one key after another. */
function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const result = (last.get(key) ?? Promise.resolve()).then(work);
    // Each answers to its own caller; the next begins in any case.
    const settled = result
      .catch(() => {})
      .finally(() => {
        if (last.get(key) === settled) last.delete(key);
      });
    last.set(key, settled);
    return result;
  };
}
