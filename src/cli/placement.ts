import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions } from "#cli/output";
import { onPlacement, recordedCommand } from "#cli/recorded";
import { withServices } from "#cli/services";
import { createOrganization, listOrganizations } from "#engine/home/organizations";
import type { Placement } from "#engine/home/placements";
import { validId } from "#base/kernel/validation";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { retryPlacement } from "#engine/placements/retry-placement";
import { resumeRegionAccess, revokeRegionAccess } from "#engine/placements/revoke-region-access";

const PAGE_SIZE = 100;

/** `tenantry org`: organizations. */
export function organizationCommand(): Command {
  const organization = new Command("org").description("create and list organizations");
  organization
    .command("create <name>")
    .description("make an organization without members")
    .option("--json", "print one JSON object")
    .action((name: string, options: OutputOptions) =>
      withServices(async (services) => {
        const made = await recordedCommand(
          services,
          "createOrganization",
          { subjectKind: "ORGANIZATION" },
          () => createOrganization(services, OPERATOR, { name }),
          ({ id }) => ({ subjectId: id, organizationId: id }),
        );
        output(options, made, [`${made.id}  ${made.name}`]);
      }),
    );
  organization
    .command("list")
    .description("list organizations, oldest first")
    .option("--after <id>", "those after this one")
    .option("--json", "print one JSON object")
    .action((options: OutputOptions & { after?: string }) =>
      withServices(async (services) => {
        const after = options.after === undefined ? null : validId("after", options.after);
        const { rows, hasNextPage } = await listOrganizations(services, OPERATOR, { first: PAGE_SIZE, after });
        const more = hasNextPage ? [`There are more: --after ${rows.at(-1)?.id}`] : [];
        const lines = rows.map(({ id, name }) => `${id}  ${name}`);
        output(
          options,
          { organizations: rows, hasNextPage },
          rows.length === 0 ? ["No organizations."] : [...lines, ...more],
        );
      }),
    );
  return organization;
}

/** `tenantry grant`: an organization's access to a region. */
export function grantCommand(): Command {
  return new Command("grant")
    .description("give an organization a tenant database in a region; exit code 1 unless it is ACTIVE")
    .argument("<organization>", "its id")
    .argument("<region>", "the region's key")
    .option("--shared", "in the database that the region's organizations share, in place of one of its own")
    .option("--json", "print one JSON object")
    .action((organization: string, regionKey: string, options: OutputOptions & { shared?: boolean }) =>
      withServices(async (services) => {
        const organizationId = validId("organization", organization);
        const isolation = options.shared === true ? "SHARED" : "DEDICATED";
        const input = { organizationId, regionKey, isolation } as const;
        const granted = await recordedCommand(
          services,
          "grantRegionAccess",
          { subjectKind: "PLACEMENT", organizationId },
          () => grantRegionAccess(services, OPERATOR, input),
          ({ id }) => ({ subjectId: id, placementId: id }),
        );
        report(options, granted, "ACTIVE");
      }),
    );
}

/** `tenantry revoke`: takes it away. */
export function revokeCommand(): Command {
  return new Command("revoke")
    .description("take an organization's access to a region away; its data is dropped after 7 days")
    .argument("<placement>", "its id")
    .requiredOption("--confirm <name>", "the organization's name")
    .option("--skip-grace", "drop now; there is no way back but a backup")
    .option("--export", "write everything to the export folder before anything is dropped")
    .option("--json", "print one JSON object")
    .action((id: string, options: OutputOptions & { confirm: string; skipGrace?: boolean; export?: boolean }) =>
      withServices(async (services) => {
        const input = {
          placementId: validId("placement", id),
          confirm: options.confirm,
          skipGrace: options.skipGrace === true,
          exportFirst: options.export === true,
        };
        const revoked = await recordedCommand(services, "revokeRegionAccess", onPlacement(input.placementId), () =>
          revokeRegionAccess(services, OPERATOR, input),
        );
        report(options, revoked);
      }),
    );
}

/** `tenantry resume`: undoes a revocation during its grace. */
export function resumeCommand(): Command {
  return new Command("resume")
    .description("undo a revocation while the placement is SUSPENDED")
    .argument("<placement>", "its id")
    .option("--json", "print one JSON object")
    .action((id: string, options: OutputOptions) =>
      withServices(async (services) => {
        const placementId = validId("placement", id);
        const resumed = await recordedCommand(services, "resumeRegionAccess", onPlacement(placementId), () =>
          resumeRegionAccess(services, OPERATOR, placementId),
        );
        report(options, resumed, "ACTIVE");
      }),
    );
}

/** `tenantry retry`: for after the cause of a failure was mended. */
export function retryCommand(): Command {
  return new Command("retry")
    .description("run what failed or waits for a placement again, now")
    .argument("<placement>", "its id")
    .option("--json", "print one JSON object")
    .action((id: string, options: OutputOptions) =>
      withServices(async (services) => {
        const placementId = validId("placement", id);
        const retried = await recordedCommand(services, "retryPlacement", onPlacement(placementId), () =>
          retryPlacement(services, OPERATOR, placementId),
        );
        report(options, retried);
      }),
    );
}

function report(options: OutputOptions, placement: Placement, wanted?: Placement["state"]): void {
  const { id, database, state, failure, dropAfter } = placement;
  output(options, placement, [
    `${id}  ${database}  ${state}`,
    ...(failure === null ? [] : [failure]),
    ...(dropAfter === null ? [] : [`Its data is dropped after ${dropAfter.toISOString()}.`]),
    ...(state === "PROVISIONING" ? ["A worker makes it: see tenantry jobs."] : []),
  ]);
  if (wanted !== undefined && state !== wanted) process.exitCode = 1;
}
