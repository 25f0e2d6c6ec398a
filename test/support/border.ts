/** Rows in the border's ledger, for tests of who reads it. */
import type { TestApp } from "./app.ts";

/** Counts what crossed on so many links, and as many attempts that were refused, and writes it to home. */
export async function countAtBorder({ services }: Pick<TestApp, "services">, count = 1): Promise<void> {
  const { ledger } = services;
  for (let databaseId = 1; databaseId <= count; databaseId += 1) {
    ledger.crossed(
      {
        databaseId,
        direction: "catalog",
        regionId: "019b0000-0000-7000-8000-000000000000",
        regionKey: "eu",
        table: "resources",
        way: "stream",
      },
      1,
      100,
    );
    ledger.refused({ databaseId, code: "wrong-password", sentence: "The password is wrong." });
  }
  await ledger.flush();
}
