/** What the product sends to databases, seen where the driver sends it: nothing gets past that, whoever asks for it. */
import pg from "pg";

export type SentStatement = {
  /** What the connection is to: home, tenant or server. */
  kind: string;
  /** As in the comment in front of it. */
  name: string;
};

/** Records every statement of this process, apart from the tests' own, until it is disposed of. */
export function recordStatements(): { sent: SentStatement[] } & Disposable {
  const sent: SentStatement[] = [];
  const prototype = pg.Client.prototype as unknown as { query: (this: object, ...args: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function record(...args) {
    const [statement] = args as [string | { text?: string }];
    const text = typeof statement === "string" ? statement : (statement.text ?? "");
    const { connectionParameters } = this as { connectionParameters: { application_name?: string } };
    const program = /^tenantry (\w+)$/.exec(connectionParameters.application_name ?? "");
    if (program !== null)
      sent.push({ kind: program[1] ?? "", name: /^\/\* tenantry: (\S+) \*\//.exec(text)?.[1] ?? text });
    return query.apply(this, args);
  };
  return {
    sent,
    [Symbol.dispose]: () => {
      prototype.query = query;
    },
  };
}
