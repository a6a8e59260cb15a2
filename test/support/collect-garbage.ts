/**
 * Makes a process that was started with `--inspect` collect its garbage, so that what is left is what it holds.
 *
 * @param stderr what the process has printed; its inspector's address stands there
 */
export async function collectGarbage(stderr: string): Promise<void> {
  // The command may become another process image, which prints an address of its own.
  const [, url] = [...stderr.matchAll(/Debugger listening on (ws:\S+)/g)].at(-1) ?? [];
  if (url === undefined) throw new Error("The process has no inspector");
  const socket = new WebSocket(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
  socket.onmessage = () => resolve();
  socket.onerror = () => reject(new Error("The inspector does not answer"));
  await promise.finally(() => socket.close());
}
