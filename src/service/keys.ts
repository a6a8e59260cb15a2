import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type ApiKeyObject, apiKeyObject, type StoredApiKey } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import { isId, newId } from "../batch/ids.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import { checkKeyParams, type KeyParams } from "./key-params.ts";
import { createRateLimit } from "./rate-limit.ts";

const prefix = "sk-nerif-";

/** What is kept of a key is a plain hash: a short one could be found from it. */
const hardToGuess = /^[\x21-\x7e]{32,256}$/;

export interface KeyService {
  /**
   * Makes a key. `key` is all there ever is of it: only its hash is kept.
   * @throws NerifError for bad parameters
   */
  create(params: KeyParams): Promise<{ key: string; object: ApiKeyObject }>;
  /**
   * Makes a key of what somebody else has drawn. One that is there already stays as it is, so that any number of
   * machines may do this at each start.
   * @throws NerifError `invalid_value` for a key that is easily guessed, was revoked, or is another project's
   */
  admit(key: string, params: KeyParams): Promise<ApiKeyObject>;
  /** Every key, revoked ones too, the oldest first. */
  list(): Promise<ApiKeyObject[]>;
  /** Holds from the next request on, in every process; a key that is revoked already stays so. @throws NerifError `api_key_not_found` */
  revoke(id: string): Promise<ApiKeyObject>;
  /** Whether requests need a key: once there was one, for good, whatever becomes of it. */
  required(): Promise<boolean>;
  /**
   * Whose key it is that a request brings; spends one of the requests that the key may make.
   * @throws NerifError `missing_api_key`, `invalid_api_key` also for a revoked one, `rate_limit_exceeded`
   */
  authenticate(given: string | null): Promise<StoredApiKey>;
  /** The same for those who may ask without: null for a missing or wrong key, and nothing is spent. */
  identify(given: string | null): Promise<StoredApiKey | null>;
}

/** The use cases around API keys. */
export function createKeyService({ control, clock }: { control: ControlStore; clock: Clock }): KeyService {
  const rate = createRateLimit(clock);
  let wasRequired = false;

  async function find(given: string): Promise<StoredApiKey | null> {
    const hash = hashOf(given);
    const found = await control.findApiKey(hash);
    // Compared again, so that nothing depends on how the database compares; and as long for a key that is unknown.
    const isSame = timingSafeEqual(Buffer.from(hash), Buffer.from(found?.hash ?? noHash));
    return found !== null && isSame && found.revoked_at === null ? found : null;
  }

  async function insert(key: string, params: KeyParams): Promise<ApiKeyObject> {
    const stored: StoredApiKey = {
      id: newId("api_key"),
      ...checkKeyParams(params),
      hash: hashOf(key),
      hint: key.slice(-4),
      created_at: unixSeconds(clock),
      revoked_at: null,
    };
    await control.insertApiKey(stored);
    return apiKeyObject(stored);
  }

  return {
    async create(params) {
      const key = `${prefix}${randomBytes(32).toString("base64url")}`;
      return { key, object: await insert(key, params) };
    },

    async admit(key, params) {
      if (!hardToGuess.test(key)) throw cannotAdmit("it must be 32 to 256 visible ASCII characters");
      const { project } = checkKeyParams(params);
      const known = async () => control.findApiKey(hashOf(key));
      const found = await known();
      // Another process may have been faster, and then the row cannot be added twice.
      const made =
        found ?? (await insert(key, params).catch(async (reason) => (await known()) ?? raise(reason)));
      if (made.revoked_at !== null) throw cannotAdmit("it was revoked");
      if (made.project !== project) throw cannotAdmit(`it is a key of the project ${made.project}`);
      return "hash" in made ? apiKeyObject(made) : made;
    },

    list: async () => (await control.listApiKeys()).map(apiKeyObject),

    async revoke(id) {
      // What is no id is not shown: it may be the key itself.
      const key = isId("api_key", id) ? await control.revokeApiKey(id, unixSeconds(clock)) : null;
      if (key !== null) return apiKeyObject(key);
      const shown = isId("api_key", id) ? `there is no key ${id}` : "it needs the id of a key, such as key_…";
      throw new NerifError("api_key_not_found", `Cannot revoke the key: ${shown}`, { param: "id" });
    },

    async required() {
      wasRequired ||= await control.hasApiKeys();
      return wasRequired;
    },

    async authenticate(given) {
      if (given === null) throw missingKey();
      const key = await find(given);
      if (key === null) throw wrongKey(given);
      rate.take(key);
      return key;
    },

    identify: async (given) => (given === null ? null : find(given)),
  };
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** As long as a hash, and equal to none. */
const noHash = "-".repeat(64);

function cannotAdmit(reason: string): NerifError {
  return new NerifError("invalid_value", `Cannot admit the key: ${reason}`, { param: "key" });
}

function raise(reason: unknown): never {
  throw reason;
}

function missingKey(): NerifError {
  return new NerifError(
    "missing_api_key",
    "You didn't provide an API key. Send one in an Authorization header (Authorization: Bearer YOUR_KEY) or in an api-key header.",
  );
}

function wrongKey(given: string): NerifError {
  return new NerifError(
    "invalid_api_key",
    `Incorrect API key provided: ${masked(given)}. Whoever runs this server can give you one.`,
  );
}

/** Enough to tell which key was sent, and of a short one, which these characters would give away, nothing. */
function masked(key: string): string {
  return key.length < 20 ? "***" : `${key.slice(0, 5)}...${key.slice(-2)}`;
}
