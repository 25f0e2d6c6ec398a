-- Processes remember for a moment who has which role. Somebody who lost one, or has another, must be forgotten at once. Who
-- got their first is not remembered as having none.
create function tenantry.seats_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenantry_seats', '');
  return null;
end $$;
create trigger seats_notify after update or delete on tenantry.memberships
  for each statement execute function tenantry.seats_notify();
