import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startForTest, type TestTenantry } from "tenantry/testing";

let tenantry: TestTenantry;

before(async () => {
  tenantry = await startForTest();
});
after(() => tenantry.stop());

for (const shared of [false, true])
  test(`an organization sees its own invoices alone, ${shared ? "in a shared database" : "in one of its own"}`, async () => {
    const acme = await tenantry.organization("Acme", { shared });
    const other = await tenantry.organization("Other", { shared });
    const [invoice] = await acme.query<{ id: string }>("insert into app.invoices (number) values ($1) returning id", [
      "A-1",
    ]);
    await acme.query("insert into app.lines (invoice_id, text, cents) values ($1, 'Consulting', 100)", [invoice?.id]);

    assert.deepEqual(await acme.query("select number from app.invoices"), [{ number: "A-1" }]);
    assert.deepEqual(await other.query("select number from app.invoices"), []);
    await assert.rejects(
      other.query("insert into app.invoices (number, organization_id) values ('A-2', $1)", [acme.id]),
      /row-level security/,
    );

    const catalog = "select number from catalog.invoices where organization_id = $1";
    assert.deepEqual(await tenantry.atHome(catalog, [acme.id]), [{ number: "A-1" }]);
  });

test("lines and attachments never leave the region", async () => {
  const tables = "select table_name as name from information_schema.tables where table_schema = 'catalog'";
  assert.deepEqual(await tenantry.atHome(tables), [{ name: "invoices" }]);
});
