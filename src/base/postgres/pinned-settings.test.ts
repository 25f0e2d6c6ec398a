import { expect, test } from "vitest";
import { ConnectionPins } from "#base/postgres/pinned-settings";

/** A server on a system that does not tell it when a client has gone: it refuses the setting, and the statement with it. */
function strictServer() {
  const asked: string[][] = [];
  const query = (_: string, [names = []]: string[][]) => {
    asked.push(names);
    if (names.includes("client_connection_check_interval"))
      return Promise.reject(Object.assign(new Error("must be set to 0 on this platform"), { code: "22023" }));
    return Promise.resolve({ rows: names.map((name) => ({ name })) });
  };
  return { asked, client: { query } as never };
}

test("a server that refuses to look after its clients gets all other settings", async () => {
  const pins = new ConnectionPins();
  const { asked, client } = strictServer();
  await pins.pinRest("role@server", client);
  expect(pins.optionsOf("role@server")).toContain("-c session_replication_role=origin");
  expect(pins.optionsOf("role@server")).not.toContain("client_connection_check_interval");
  expect(asked).toHaveLength(2);
  await pins.pinRest("role@server", client);
  expect(asked).toHaveLength(2);
});
