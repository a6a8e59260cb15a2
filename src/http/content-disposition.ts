/** `attachment` with a file name that every client understands (RFC 6266), whatever the name contains. */
export function attachment(filename: string): string {
  const name = filename.slice(filename.lastIndexOf("/") + 1) || "file";
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  if (ascii === name) return `attachment; filename="${ascii}"`;
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended(name)}`;
}

function extended(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
