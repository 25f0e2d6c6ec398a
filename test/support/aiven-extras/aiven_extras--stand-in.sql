-- A stand-in for the extension aiven_extras, written for tests: its names, arguments and owners as in version 1.1.18, and
-- no more of what it does than subscriptions need. What reaches out over dblink is refused.
create type aiven_extras.aiven_pg_subscription as (
  subdbid oid, subname name, subowner oid, subenabled boolean,
  subconninfo text, subslotname name, subsynccommit text, subpublications text[]
);

create function aiven_extras.dblink_slot_create_or_drop(
  arg_connection_string text, arg_slot_name text, arg_action text
) returns void language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'the stand-in does not % slots', arg_action using errcode = 'feature_not_supported';
end $$;

create function aiven_extras.pg_create_subscription(
  arg_subscription_name text, arg_connection_string text, arg_publication_name text, arg_slot_name text,
  arg_slot_create boolean = false, arg_copy_data boolean = true, arg_origin text = 'any'
) returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  if arg_slot_create then
    perform aiven_extras.dblink_slot_create_or_drop(arg_connection_string, arg_slot_name, 'create');
  end if;
  if arg_origin <> 'any' then
    raise exception 'the stand-in knows one origin' using errcode = 'feature_not_supported';
  end if;
  execute format('create subscription %I connection %L publication %I with (slot_name = %L, create_slot = false, copy_data = %s)',
    arg_subscription_name, arg_connection_string, arg_publication_name, arg_slot_name, arg_copy_data::text);
end $$;

create function aiven_extras.pg_alter_subscription_disable(arg_subscription_name text)
returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  execute format('alter subscription %I disable', arg_subscription_name);
end $$;

create function aiven_extras.pg_alter_subscription_enable(arg_subscription_name text)
returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  execute format('alter subscription %I enable', arg_subscription_name);
end $$;

create function aiven_extras.pg_alter_subscription_refresh_publication(
  arg_subscription_name text, arg_copy_data boolean = true
) returns void language plpgsql security definer set search_path = pg_catalog as $$
begin
  raise exception 'the stand-in does not refresh %', arg_subscription_name using errcode = 'feature_not_supported';
end $$;

create function aiven_extras.pg_drop_subscription(arg_subscription_name text, arg_drop_repl_slot boolean = true)
returns void language plpgsql security definer set search_path = pg_catalog as $$
declare
  found_slot text;
  found_connection text;
begin
  -- By name alone, in whatever database it is: so does the original.
  select subslotname, subconninfo into found_slot, found_connection
    from pg_subscription where subname = arg_subscription_name;
  if found_slot is null and found_connection is null then
    raise exception 'No subscription found for name: %', arg_subscription_name;
  end if;
  execute format('alter subscription %I disable', arg_subscription_name);
  execute format('alter subscription %I set (slot_name = none)', arg_subscription_name);
  execute format('drop subscription %I', arg_subscription_name);
  if arg_drop_repl_slot then
    perform aiven_extras.dblink_slot_create_or_drop(found_connection, found_slot, 'drop');
  end if;
end $$;

create function aiven_extras.pg_list_all_subscriptions()
returns setof aiven_extras.aiven_pg_subscription language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query select subdbid, subname, subowner, subenabled, subconninfo, subslotname, subsynccommit, subpublications
    from pg_subscription;
end $$;

-- As dumps of Aiven's and DigitalOcean's databases show it: all of it belongs to the superuser, nothing is everybody's, and whoever
-- made it may use it. A trusted extension's schema belongs to who made it, so that is told first.
do $$
declare
  maker name := (select r.rolname from pg_namespace n join pg_roles r on r.oid = n.nspowner where n.nspname = 'aiven_extras');
  one regprocedure;
begin
  execute format('alter schema aiven_extras owner to %I', current_user);
  revoke all on schema aiven_extras from public;
  if maker <> current_user then
    execute format('revoke all on schema aiven_extras from %I', maker);
    execute format('grant usage on schema aiven_extras to %I with grant option', maker);
  end if;
  for one in select oid from pg_proc where pronamespace = 'aiven_extras'::regnamespace loop
    execute format('revoke all on function %s from public', one);
    execute format('grant all on function %s to %I with grant option', one, maker);
  end loop;
end $$;
