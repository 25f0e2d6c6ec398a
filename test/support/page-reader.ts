/**
 * A cursor in the form in which `pg-cursor` and `pg-query-stream` give themselves to the driver: it sends its own messages on the
 * connection, keeps a portal open, and is told of each answer.
 */
type Message = { fields?: unknown[] };
type Connection = {
  parse: (message: object, more: boolean) => void;
  bind: (message: object, more: boolean) => void;
  describe: (message: object, more: boolean) => void;
  execute: (message: object, more: boolean) => void;
  close: (message: object, more?: boolean) => void;
  flush: () => void;
  sync: () => void;
};

export class PageReader {
  readonly text: string;
  /** Resolves when all has been read, and the connection is free again. */
  readonly done: Promise<void>;
  #finish: () => void = () => undefined;
  #connection: Connection | undefined;
  readonly #rows: string[][] = [];
  #isOver = false;
  #failure: Error | undefined;
  #waiting: { count: number; tell: () => void } | undefined;

  constructor(text: string) {
    this.text = text;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The next rows, as the texts that the server sent. */
  async read(count: number): Promise<string[][]> {
    if (!this.#isOver)
      await new Promise<void>((tell) => {
        this.#waiting = { count, tell };
        this.#ask();
      });
    if (this.#failure !== undefined) throw this.#failure;
    return this.#rows.splice(0);
  }

  #ask(): void {
    if (this.#connection === undefined || this.#waiting === undefined) return;
    this.#connection.execute({ portal: "reader", rows: this.#waiting.count }, true);
    this.#connection.flush();
  }

  #answer(): void {
    this.#waiting?.tell();
    this.#waiting = undefined;
  }

  submit(connection: unknown): void {
    this.#connection = connection as Connection;
    this.#connection.parse({ text: this.text }, true);
    this.#connection.bind({ portal: "reader" }, true);
    this.#connection.describe({ type: "P", name: "reader" }, true);
    this.#connection.flush();
    this.#ask();
  }

  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handleDataRow({ fields = [] }: Message): void {
    this.#rows.push(fields.map(String));
  }

  handlePortalSuspended(): void {
    this.#answer();
  }

  handleCommandComplete(): void {
    this.#isOver = true;
    this.#connection?.close({ type: "P", name: "reader" });
    this.#connection?.sync();
    this.#answer();
  }

  handleError(error: Error): void {
    this.#isOver = true;
    this.#failure = error;
    this.#connection?.sync();
    this.#answer();
    this.#finish();
  }

  handleReadyForQuery(): void {
    this.#finish();
  }
}
