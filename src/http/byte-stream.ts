/** Bytes that are read ahead of the client. */
const aheadBytes = 64 * 1024;

export interface ByteStreamOptions {
  /** Called when the client goes away. */
  onCancel?: () => void;
  /** Called once, however the stream ends. */
  onEnd?: () => Promise<void>;
  /** Told what broke the stream; the client sees a connection that ends too early. */
  onError: (reason: unknown) => void;
}

/**
 * The body of an answer from an iterator of bytes, read only as fast as the client takes it. What is there is
 * handed over at once: a result that just came in does not wait for others.
 */
export function byteStream(
  source: AsyncIterable<Buffer>,
  options: ByteStreamOptions,
): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const onEnd = options.onEnd ?? (async () => {});
  let cancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await iterator.next();
          if (cancelled) return;
          if (!done) {
            controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.length));
            return;
          }
          controller.close();
          await onEnd();
        } catch (reason) {
          if (cancelled) return;
          options.onError(reason);
          controller.error(reason);
          await onEnd();
        }
      },
      async cancel() {
        cancelled = true;
        // Before the iterator is asked to end: it may be waiting for something that takes long.
        options.onCancel?.();
        await iterator.return?.();
        await onEnd();
      },
    },
    { highWaterMark: aheadBytes, size: (chunk) => chunk.length },
  );
}
