import type { HomeDatabase } from "#base/postgres/database";

/** Somebody called the move off. */
export class CalledOff extends Error {
  constructor() {
    super("the move was called off");
  }
}

/** Throws {@link CalledOff} when somebody called the move off before the switch. */
export async function refuseCalledOff({ home }: { home: HomeDatabase }, placementId: string): Promise<void> {
  const rows = await home.query(
    "moves.goes_on",
    "select from tenantry.moves where placement_id = $1 and (cancelled_at is null or switched_at is not null)",
    [placementId],
  );
  if (rows.length === 0) throw new CalledOff();
}
