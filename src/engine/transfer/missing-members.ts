/** Who was a member of an exported organization and is none of the placement's here. */
import { join } from "node:path";
import { nameFrom } from "#base/kernel/validation";
import type { HomeDatabase } from "#base/postgres/database";
import type { ExportedFile } from "#engine/transfer/export-format";
import { readPieces } from "#engine/transfer/json-lines";

/** Named at most; all are counted. */
const MAX_NAMED = 20;

export type MissingMember = {
  userId: string;
  /** As exported, as far as it is a name. Of somebody who was erased since: as home calls them now. */
  name: string;
  /** Whether there is a user with this id, who needs only to be added to the organization. */
  isUser: boolean;
};

/** Compares the exported members with home, which is the truth about who is one. */
export async function listMissingMembers(
  { home }: { home: HomeDatabase },
  organizationId: string,
  folder: string,
  { file, ...content }: ExportedFile,
): Promise<{ count: number; first: MissingMember[] }> {
  const missing: { count: number; first: MissingMember[] } = { count: 0, first: [] };
  for await (const { json } of readPieces(join(folder, file), file, content)) {
    const rows = await home.query<MissingMember>(
      "import.missing_members",
      `select l.user_id as "userId", coalesce(case when u.erased_at is null then l.name else u.name end, '') as name,
              u.id is not null and u.erased_at is null as "isUser"
       from json_to_recordset($1::json) as l (user_id uuid, name text)
       left join tenantry.users u on u.id = l.user_id
       where not exists (select from tenantry.memberships m where m.organization_id = $2 and m.user_id = l.user_id)
       order by l.user_id`,
      [json, organizationId],
    );
    missing.count += rows.length;
    // Anybody may have written the file: its names are shown without characters that a terminal takes for commands.
    for (const row of rows.slice(0, MAX_NAMED - missing.first.length))
      missing.first.push({ ...row, name: nameFrom(row.name) ?? "" });
  }
  return missing;
}
