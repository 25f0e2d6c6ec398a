/** What the product sends to databases, seen where the driver sends it: nothing gets past that, whoever asks for it. */
import pg from "pg";

export type SentStatement = {
  /** What the connection is to: home, tenant or server. */
  kind: string;
  /** As in the comment in front of it. */
  name: string;
};

/** Nobody asks for these: they prove every few seconds that a connection is there. */
const BY_THE_CLOCK = new Set(["listen.prove", "held.beat"]);

/** Records every statement of this process, apart from the tests' own and what comes by the clock, until it is disposed of. */
export function recordStatements(): { sent: SentStatement[] } & Disposable {
  const sent: SentStatement[] = [];
  const prototype = pg.Client.prototype as unknown as { query: (this: object, ...args: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function record(...args) {
    const [statement] = args as [string | { text?: string }];
    const text = typeof statement === "string" ? statement : (statement.text ?? "");
    const { connectionParameters } = this as { connectionParameters: { application_name?: string } };
    const program = /^tenantry (\w+)$/.exec(connectionParameters.application_name ?? "");
    const name = /^\/\* tenantry: (\S+) \*\//.exec(text)?.[1] ?? text;
    if (program !== null && !BY_THE_CLOCK.has(name)) sent.push({ kind: program[1] ?? "", name });
    return query.apply(this, args);
  };
  return {
    sent,
    [Symbol.dispose]: () => {
      prototype.query = query;
    },
  };
}
