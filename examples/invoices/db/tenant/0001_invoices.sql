-- Invoices, their lines, and attachments that never leave the region.

create table app.invoices (
  id uuid primary key default tenantry.new_id(),
  organization_id uuid not null default tenantry.organization(),
  number text not null check (number ~ '^[0-9A-Z-]{1,40}$'),
  total_cents int not null default 0 check (total_cents >= 0),
  created_by uuid,
  unique (organization_id, id)
);
select tenantry.tenant_table('app.invoices');
-- Home lists invoices by number, across regions. What they are about stays in the region.
select tenantry.catalog('app.invoices', '{number}');
select tenantry.personal('app.invoices', 'created_by', 'user');

create table app.lines (
  id uuid primary key default tenantry.new_id(),
  organization_id uuid not null default tenantry.organization(),
  invoice_id uuid not null,
  text text not null,
  cents int not null,
  foreign key (organization_id, invoice_id) references app.invoices (organization_id, id) on delete cascade
);
create index lines_invoice_id on app.lines (invoice_id, id);
select tenantry.tenant_table('app.lines');

create table app.attachments (
  id uuid primary key default tenantry.new_id(),
  organization_id uuid not null default tenantry.organization(),
  invoice_id uuid not null,
  name text not null,
  content bytea not null,
  foreign key (organization_id, invoice_id) references app.invoices (organization_id, id)
);
create index attachments_invoice_id on app.attachments (organization_id, invoice_id);
select tenantry.tenant_table('app.attachments');
select tenantry.personal('app.attachments', 'name', 'text');
