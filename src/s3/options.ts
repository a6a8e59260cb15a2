import { NerifError } from "../batch/errors.ts";

/** Where the objects are. Keys come from the SDK's own chain: environment, shared files, roles of the machine. */
export interface S3Options {
  bucket: string;
  /** In front of every key; empty, or ends in a slash. */
  prefix: string;
  /** Another server than AWS (MinIO, R2, Ceph). Default: what `AWS_ENDPOINT_URL_S3` or the profile says, else AWS. */
  endpoint?: string;
  /** Default: what `AWS_REGION` or the profile says; with an endpoint of its own `us-east-1`. */
  region?: string;
  /** The bucket stands in the path instead of the host's name. Default: true with an endpoint of its own. */
  pathStyle: boolean;
}

export interface S3Settings {
  /** `s3://bucket`, `s3://bucket/prefix`, or the bucket alone. */
  url: string;
  endpoint?: string | undefined;
  region?: string | undefined;
  pathStyle?: boolean | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const prefixName = /^[A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*$/;

/**
 * Checks what a user set and completes it from the environment.
 * @throws NerifError `invalid_configuration`
 */
export function parseS3Options(settings: S3Settings, environment: Environment = process.env): S3Options {
  const [, bucket = "", prefix = ""] = /^(?:s3:\/\/)?([^/]*)(?:\/+(.*?)\/*)?$/.exec(settings.url) ?? [];
  // Not repeated: what stands before an @ may be a key.
  if (settings.url.includes("@") || settings.url.includes("?")) {
    throw refused(
      "the S3 address has more than a bucket and a prefix",
      "keys come from AWS_ACCESS_KEY_ID and the like",
    );
  }
  if (!bucketName.test(bucket)) {
    throw refused(
      `the bucket ${JSON.stringify(bucket.slice(0, 80))}`,
      "it has to look like s3://bucket/prefix",
    );
  }
  if (prefix !== "" && (!prefixName.test(prefix) || prefix.length > 256)) {
    const shown = JSON.stringify(prefix.slice(0, 80));
    throw refused(`the S3 prefix ${shown}`, "it may have up to 256 letters, digits and !_.*'()-/");
  }
  const own =
    settings.endpoint ?? (environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || undefined);
  const endpoint = own === undefined ? undefined : checkedEndpoint(own);
  const region = settings.region ?? (environment.AWS_REGION || environment.AWS_DEFAULT_REGION || undefined);
  const isElsewhere = endpoint !== undefined && !new URL(endpoint).hostname.endsWith(".amazonaws.com");
  return {
    bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined && isElsewhere ? { region: "us-east-1" } : {}),
    ...(region === undefined ? {} : { region }),
    pathStyle: settings.pathStyle ?? isElsewhere,
  };
}

function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw refused("the S3 endpoint", "it has to look like https://host:port");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw refused("the S3 endpoint", "it has more than a scheme, a host, a port and a path");
  }
  return url.href.replace(/\/$/, "");
}

function refused(what: string, why: string): NerifError {
  return new NerifError("invalid_configuration", `Cannot use ${what}: ${why}`);
}
