-- one column: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || r.id::text || '"}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 8000000

-- every column under other names: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"a":"' || r.id::text || '","b":' || to_json(r.name)::text || ',"c":"' || case when (r.created_at >= '0001-01-01 00:00:00Z' and r.created_at < '10000-01-01 00:00:00Z') then to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '","d":"Resource","id":"' || r.id::text || '"}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 8000000

-- at home: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || r.id::text || '","name":' || to_json(r.name)::text || ',"createdAt":"' || case when (r.created_at >= '0001-01-01 00:00:00Z' and r.created_at < '10000-01-01 00:00:00Z') then to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 0 | <id> | 00000000-0000-0000-0000-000000000000 | 8000000

-- the region's key: resources.text
select case when octet_length(made.text) <= $5::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"region":' || $3::text || '}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $4 offset 0) made;
-- 70 | <id> | {"key":"eu","__typename":"Region"} | organization | 8000000

-- the region's name, which home is asked for: resources.text
select case when octet_length(made.text) <= $5::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || r.id::text || '","region":' || $3::text || ',"name":' || to_json(r.name)::text || '}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $4 offset 0) made;
-- 70 | <id> | {"name":"Europe","key":"eu"} | organization | 8000000

-- the region of what lives at home: resources.text
select case when octet_length(made.text) <= $5::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || r.id::text || '","region":' || $3::text || '}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $4 offset 0) made;
-- 0 | <id> | null | 00000000-0000-0000-0000-000000000000 | 8000000

-- the organization: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"organization":{"id":"' || o0.organization_id::text || '","name":' || to_json(o0.name)::text || ',"__typename":"Organization"}}' as text from app.resources r left join tenantry.directory_organizations o0
          on o0.database_id = $1 and o0.organization_id = $3
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 8000000

-- the organization twice: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"organization":{"id":"' || o0.organization_id::text || '"},"other":{"name":' || to_json(o1.name)::text || '}}' as text from app.resources r left join tenantry.directory_organizations o0
          on o0.database_id = $1 and o0.organization_id = $3 left join tenantry.directory_organizations o1
          on o1.database_id = $1 and o1.organization_id = $3
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 8000000

-- the organization of what lives at home: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"organization":null}' as text from app.resources r 
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 0 | <id> | 00000000-0000-0000-0000-000000000000 | 8000000

-- a page: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when coalesce(p0.whole1, true) then coalesce(p0.edges1, '') end || ']}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"node":{"id":"' || c.id::text || '","body":' || to_json(c.body)::text || ',"createdAt":"' || case when (c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z') then to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, bool_and(((c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z'))) filter (where c.position <= $3::int) as whole1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 20 | 00000000-0000-0000-0000-000000000000 | organization | 8000000

-- a page after a row, with all that is said of it: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"__typename":"CommentConnection","edges":[' || case when true then coalesce(p0.edges1, '') end || '],"pageInfo":{"__typename":"PageInfo","hasNextPage":' || (p0.found > $3::int)::text || ',"hasPreviousPage":' || ($4 <> '00000000-0000-0000-0000-000000000000')::text || ',"startCursor":' || coalesce('"' || encode(p0.oldest::text::bytea, 'base64') || '"', 'null') || ',"endCursor":' || coalesce('"' || encode(p0.newest::text::bytea, 'base64') || '"', 'null') || '}}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"__typename":"CommentEdge","cursor":"' || encode(c.id::text::bytea, 'base64') || '","node":{"__typename":"Comment","body":' || to_json(c.body)::text || '}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, min(c.id::text collate "C") filter (where c.position <= $3::int) as oldest, max(c.id::text collate "C") filter (where c.position <= $3::int) as newest
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 3 | <after> | organization | 8000000

-- the last rows before a row, with all that is said of them: resources.text
select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when true then coalesce(p0.edges1, '') end || '],"pageInfo":{"hasNextPage":' || ($5 <> 'ffffffff-ffff-ffff-ffff-ffffffffffff')::text || ',"hasPreviousPage":' || (p0.found > $3::int or $4 <> '00000000-0000-0000-0000-000000000000')::text || ',"startCursor":' || coalesce('"' || encode(p0.oldest::text::bytea, 'base64') || '"', 'null') || ',"endCursor":' || coalesce('"' || encode(p0.newest::text::bytea, 'base64') || '"', 'null') || '}}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"cursor":"' || encode(c.id::text::bytea, 'base64') || '","node":{"body":' || to_json(c.body)::text || '}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, min(c.id::text collate "C") filter (where c.position <= $3::int) as oldest, max(c.id::text collate "C") filter (where c.position <= $3::int) as newest
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id desc) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 and c.id < $5 order by c.id desc limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $6 offset 0) made;
-- 70 | <id> | 3 | 00000000-0000-0000-0000-000000000000 | <after> | organization | 8000000

-- the first rows of those before a row: resources.text
select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when true then coalesce(p0.edges1, '') end || '],"pageInfo":{"hasNextPage":' || (p0.found > $3::int or $5 <> 'ffffffff-ffff-ffff-ffff-ffffffffffff')::text || ',"hasPreviousPage":' || ($4 <> '00000000-0000-0000-0000-000000000000')::text || '}}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"node":{"id":"' || c.id::text || '"}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 and c.id < $5 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $6 offset 0) made;
-- 70 | <id> | 3 | 00000000-0000-0000-0000-000000000000 | <after> | organization | 8000000

-- a page with nothing but where it ends: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"pageInfo":{"endCursor":' || coalesce('"' || encode(p0.newest::text::bytea, 'base64') || '"', 'null') || '}}}' as text from app.resources r cross join lateral (
    select count(*) as found, max(c.id::text collate "C") filter (where c.position <= $3::int) as newest
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 20 | 00000000-0000-0000-0000-000000000000 | organization | 8000000

-- a page with nothing but its type: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"__typename":"CommentConnection"}}' as text from app.resources r cross join lateral (
    select count(*) as found
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 20 | 00000000-0000-0000-0000-000000000000 | organization | 8000000

-- a page with authors: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when coalesce(p0.whole1, true) then coalesce(p0.edges1, '') end || ']}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"node":{"body":' || to_json(c.body)::text || ',"author":' || case when m.user_id is null then 'null' else '{"id":"' || m.user_id::text || '","name":' || to_json(m.name)::text || ',"email":' || to_json(m.email)::text || ',"createdAt":"' || case when (m.user_created_at >= '0001-01-01 00:00:00Z' and m.user_created_at < '10000-01-01 00:00:00Z') then to_char(m.user_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' end || '}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, bool_and(((m.user_id is null or ((m.user_created_at >= '0001-01-01 00:00:00Z' and m.user_created_at < '10000-01-01 00:00:00Z'))))) filter (where c.position <= $3::int) as whole1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    left join tenantry.directory_members m on m.database_id = $1 and m.organization_id = $5 and m.user_id = c.author_id) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 5 | 00000000-0000-0000-0000-000000000000 | organization | 8000000

-- a page with authors at home: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when coalesce(p0.whole1, true) then coalesce(p0.edges1, '') end || ']}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"node":{"body":' || to_json(c.body)::text || ',"author":' || case when m.id is null then 'null' else '{"id":"' || m.id::text || '","name":' || to_json(m.name)::text || ',"createdAt":"' || case when (m.created_at >= '0001-01-01 00:00:00Z' and m.created_at < '10000-01-01 00:00:00Z') then to_char(m.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' end || '}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, bool_and(((m.id is null or ((m.created_at >= '0001-01-01 00:00:00Z' and m.created_at < '10000-01-01 00:00:00Z'))))) filter (where c.position <= $3::int) as whole1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    left join tenantry.users m on m.id = c.author_id) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 0 | <id> | 20 | 00000000-0000-0000-0000-000000000000 | 00000000-0000-0000-0000-000000000000 | 8000000

-- a page with edges twice: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"comments":{"edges":[' || case when true then coalesce(p0.edges1, '') end || '],"more":[' || case when coalesce(p0.whole2, true) then coalesce(p0.edges2, '') end || ']}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"cursor":"' || encode(c.id::text::bytea, 'base64') || '"}', ',' order by c.id) filter (where c.position <= $3::int) as edges1, string_agg('{"node":{"createdAt":"' || case when (c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z') then to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}}', ',' order by c.id) filter (where c.position <= $3::int) as edges2, bool_and(((c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z'))) filter (where c.position <= $3::int) as whole2
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 20 | 00000000-0000-0000-0000-000000000000 | organization | 8000000

-- two pages, from variables: resources.text
select case when octet_length(made.text) <= $8::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"a":{"edges":[' || case when true then coalesce(p0.edges1, '') end || '],"pageInfo":{"hasNextPage":' || (p0.found > $3::int)::text || '}},"b":{"pageInfo":{"hasPreviousPage":' || ($7 <> '00000000-0000-0000-0000-000000000000')::text || ',"endCursor":' || coalesce('"' || encode(p1.newest::text::bytea, 'base64') || '"', 'null') || '},"edges":[' || case when true then coalesce(p1.edges1, '') end || ']}}' as text from app.resources r cross join lateral (
    select count(*) as found, string_agg('{"node":{"id":"' || c.id::text || '"}}', ',' order by c.id) filter (where c.position <= $3::int) as edges1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $4 order by c.id limit $3::int + 1) c
    ) p0 cross join lateral (
    select count(*) as found, max(c.id::text collate "C") filter (where c.position <= $6::int) as newest, string_agg('{"node":{"author":' || case when m.user_id is null then 'null' else '{"name":' || to_json(m.name)::text || '}' end || '}}', ',' order by c.id) filter (where c.position <= $6::int) as edges1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $7 order by c.id limit $6::int + 1) c
    left join tenantry.directory_members m on m.database_id = $1 and m.organization_id = $5 and m.user_id = c.author_id) p1
      where r.database_id = $1 and r.id = $2 and r.organization_id = $5 offset 0) made;
-- 70 | <id> | 2 | 00000000-0000-0000-0000-000000000000 | organization | 4 | <after> | 8000000

-- fragments: resources.text
select case when octet_length(made.text) <= $6::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || r.id::text || '","organization":{"name":' || to_json(o0.name)::text || '},"comments":{"edges":[' || case when true then coalesce(p1.edges1, '') end || ']},"name":' || to_json(r.name)::text || '}' as text from app.resources r left join tenantry.directory_organizations o0
          on o0.database_id = $1 and o0.organization_id = $3 cross join lateral (
    select count(*) as found, string_agg('{"node":{"body":' || to_json(c.body)::text || ',"author":' || case when m.user_id is null then 'null' else '{"name":' || to_json(m.name)::text || '}' end || '}}', ',' order by c.id) filter (where c.position <= $4::int) as edges1
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $5 order by c.id limit $4::int + 1) c
    left join tenantry.directory_members m on m.database_id = $1 and m.organization_id = $3 and m.user_id = c.author_id) p1
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 2 | 00000000-0000-0000-0000-000000000000 | 8000000

-- everything: resources.text
select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"__typename":"Resource","id":"' || r.id::text || '","name":' || to_json(r.name)::text || ',"createdAt":"' || case when (r.created_at >= '0001-01-01 00:00:00Z' and r.created_at < '10000-01-01 00:00:00Z') then to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '","region":' || $3::text || ',"organization":{"id":"' || o0.organization_id::text || '","name":' || to_json(o0.name)::text || '},"comments":{"edges":[' || case when coalesce(p1.whole1, true) then coalesce(p1.edges1, '') end || '],"pageInfo":{"hasNextPage":' || (p1.found > $5::int)::text || ',"endCursor":' || coalesce('"' || encode(p1.newest::text::bytea, 'base64') || '"', 'null') || '}}}' as text from app.resources r left join tenantry.directory_organizations o0
          on o0.database_id = $1 and o0.organization_id = $4 cross join lateral (
    select count(*) as found, string_agg('{"cursor":"' || encode(c.id::text::bytea, 'base64') || '","node":{"id":"' || c.id::text || '","body":' || to_json(c.body)::text || ',"createdAt":"' || case when (c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z') then to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '","author":' || case when m.user_id is null then 'null' else '{"id":"' || m.user_id::text || '","name":' || to_json(m.name)::text || ',"email":' || to_json(m.email)::text || ',"createdAt":"' || case when (m.user_created_at >= '0001-01-01 00:00:00Z' and m.user_created_at < '10000-01-01 00:00:00Z') then to_char(m.user_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' end || '}}', ',' order by c.id) filter (where c.position <= $5::int) as edges1, bool_and(((c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z') and (m.user_id is null or ((m.user_created_at >= '0001-01-01 00:00:00Z' and m.user_created_at < '10000-01-01 00:00:00Z'))))) filter (where c.position <= $5::int) as whole1, max(c.id::text collate "C") filter (where c.position <= $5::int) as newest
    from (select c.id, c.author_id, c.body, c.created_at, c.updated_at, row_number() over (order by c.id) as position
          from app.comments c where c.resource_id = r.id and c.id > $6 order by c.id limit $5::int + 1) c
    left join tenantry.directory_members m on m.database_id = $1 and m.organization_id = $4 and m.user_id = c.author_id) p1
      where r.database_id = $1 and r.id = $2 and r.organization_id = $4 offset 0) made;
-- 70 | <id> | {"key":"eu","name":"Europe"} | organization | 10 | 00000000-0000-0000-0000-000000000000 | 8000000

-- quotes in a name are those of its fields: resources.text
select case when octet_length(made.text) <= $4::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"_id":"' || r.id::text || '","O0":{"p1":"' || o0.organization_id::text || '"}}' as text from app.resources r left join tenantry.directory_organizations o0
          on o0.database_id = $1 and o0.organization_id = $3
      where r.database_id = $1 and r.id = $2 and r.organization_id = $3 offset 0) made;
-- 70 | <id> | organization | 8000000

-- a new comment's id: comments.create
with added as (
         insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
         values ($1, $2, $3, $4, $5, $6) returning *
       ), logged as (insert into tenantry.audit_log (id, organization_id, who, who_id, via, address, user_agent, action, subject_kind, subject_id, database_id) values ($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18))
       select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || c.id::text || '"}' as text from added c left join tenantry.directory_members m
        on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id offset 0) made;
-- <new id> | 70 | organization | <id> | <user> | Text | 8000000 | <new id> | organization | USER | <user> | DEVELOPMENT | null | null | createComment | COMMENT | <new id> | 70

-- a new comment with all of its columns: comments.create
with added as (
         insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
         values ($1, $2, $3, $4, $5, $6) returning *
       ), logged as (insert into tenantry.audit_log (id, organization_id, who, who_id, via, address, user_agent, action, subject_kind, subject_id, database_id) values ($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18))
       select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"__typename":"Comment","id":"' || c.id::text || '","body":' || to_json(c.body)::text || ',"createdAt":"' || case when (c.created_at >= '0001-01-01 00:00:00Z' and c.created_at < '10000-01-01 00:00:00Z') then to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' as text from added c left join tenantry.directory_members m
        on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id offset 0) made;
-- <new id> | 70 | organization | <id> | <user> | Text | 8000000 | <new id> | organization | USER | <user> | DEVELOPMENT | null | null | createComment | COMMENT | <new id> | 70

-- a new comment with its author: comments.create
with added as (
         insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
         values ($1, $2, $3, $4, $5, $6) returning *
       ), logged as (insert into tenantry.audit_log (id, organization_id, who, who_id, via, address, user_agent, action, subject_kind, subject_id, database_id) values ($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18))
       select case when octet_length(made.text) <= $7::int then made.text end as text, octet_length(made.text) as bytes
    from (select '{"id":"' || c.id::text || '","author":' || case when m.user_id is null then 'null' else '{"__typename":"User","id":"' || m.user_id::text || '","name":' || to_json(m.name)::text || ',"email":' || to_json(m.email)::text || ',"createdAt":"' || case when (m.user_created_at >= '0001-01-01 00:00:00Z' and m.user_created_at < '10000-01-01 00:00:00Z') then to_char(m.user_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end || '"}' end || ',"body":' || to_json(c.body)::text || '}' as text from added c left join tenantry.directory_members m
        on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id offset 0) made;
-- <new id> | 70 | organization | <id> | <user> | Text | 8000000 | <new id> | organization | USER | <user> | DEVELOPMENT | null | null | createComment | COMMENT | <new id> | 70
