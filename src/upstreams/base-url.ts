import { NerifError } from "../batch/errors.ts";

/**
 * @param what whose it is, for the message
 * @throws NerifError `invalid_configuration`
 */
export function baseUrl(text: string, what: string): URL {
  const url = URL.parse(text);
  const refuse = (reason: string) =>
    new NerifError("invalid_configuration", `Cannot use ${what}: ${reason}`, { param: "upstream" });
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    // What stands before an @, or is no URL at all, may be a key.
    const isShown = /^([\w.-]+:\d+(\/|$)|\w+:\/\/)/.test(text) && !text.includes("@");
    throw refuse(`${isShown ? JSON.stringify(text.slice(0, 200)) : "it"} is not an http or https URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse(
      "its URL holds credentials; put the key into a variable and name it with upstream_api_key_env",
    );
  }
  return url;
}
