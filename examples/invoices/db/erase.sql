-- Tenantry takes a person's id out of the columns that are declared as a user's. This file does the rest.
-- A scan is often named after the person who has made it.
update app.attachments set name = 'attachment' from app.invoices
where invoices.id = attachments.invoice_id and invoices.created_by = tenantry.erased_user();
