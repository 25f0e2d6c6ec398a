/** The heap of another Node process as its garbage collector leaves it, by the inspector that the process was started with. */

export type Inspected = { usedBytes: () => Promise<number>; close: () => void };

const ANSWER_TIMEOUT_MS = 30_000;

/** `port` is the one of its `--inspect`. */
export async function inspect(port: number): Promise<Inspected> {
  const listed = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(listed[0]?.webSocketDebuggerUrl ?? "");
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("the inspector does not answer")), { once: true });
  });
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id === undefined) return;
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  let last = 0;
  const call = (method: string) =>
    new Promise<unknown>((resolve, reject) => {
      last += 1;
      const timer = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), ANSWER_TIMEOUT_MS);
      waiting.set(last, (result) => {
        clearTimeout(timer);
        resolve(result);
      });
      socket.send(JSON.stringify({ id: last, method }));
    });
  return {
    usedBytes: async () => {
      await call("HeapProfiler.collectGarbage");
      return ((await call("Runtime.getHeapUsage")) as { usedSize: number }).usedSize;
    },
    close: () => socket.close(),
  };
}
