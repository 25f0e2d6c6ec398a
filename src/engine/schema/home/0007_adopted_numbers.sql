-- Numbers of placements that are gone and whose rows were imported into another placement: the ids of those rows lead there.
-- Besides its own number a placement can have any of these.
create table tenantry.adopted_numbers (
  number int primary key check (number between 1 and 16777215),
  -- null: that one is gone too; the number waits for the next import and is nobody else's.
  placement_id uuid references tenantry.placements on delete set null
);
create index adopted_numbers_placement_id on tenantry.adopted_numbers (placement_id);

-- An export of another installation can bring a number that the sequence here has yet to reach: it goes past it.
create function tenantry.skip_adopted_number() returns trigger language plpgsql as $$
begin
  while exists (select from tenantry.adopted_numbers where number = new.number) loop
    new.number := nextval('tenantry.placement_numbers');
  end loop;
  return new;
end $$;
create trigger skip_adopted_number before insert on tenantry.placements
  for each row execute function tenantry.skip_adopted_number();
