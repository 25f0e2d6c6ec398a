import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions, table } from "#cli/output";
import { onPlacement, recordedCommand } from "#cli/recorded";
import { explain, SOME_ID } from "#cli/reference";
import { withServices } from "#cli/services";
import { createOrganization, listOrganizations, type Organization } from "#engine/home/organizations";
import type { Placement } from "#engine/home/placements";
import { validId } from "#base/kernel/validation";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { retryPlacement } from "#engine/placements/retry-placement";
import { resumeRegionAccess, revokeRegionAccess } from "#engine/placements/revoke-region-access";

const PAGE_SIZE = 100;

/** In examples. */
const REVOKING = "how-to/take-access-away.md";

/** `tenantry org`: organizations. */
export function organizationCommand(): Command {
  return new Command("org")
    .description("Create and list organizations.")
    .addCommand(createOrganizationCommand())
    .addCommand(listOrganizationsCommand());
}

function createOrganizationCommand(): Command {
  const command = new Command("create")
    .description("Make an organization without members, and print its id.")
    .argument("<name>", "The name of the organization.")
    .option("--json", "Print one JSON object.")
    .action((name: string, options: OutputOptions) =>
      withServices(async (services) => {
        const made = await recordedCommand(
          services,
          "createOrganization",
          { subjectKind: "ORGANIZATION" },
          () => createOrganization(services, OPERATOR, { name }),
          ({ id }) => ({ subjectId: id, organizationId: id }),
        );
        output(options, made, organizationTable([made]));
      }),
    );
  return explain(command, { example: 'tenantry org create "Acme"' });
}

function listOrganizationsCommand(): Command {
  const command = new Command("list")
    .description("List organizations, oldest first.")
    .option("--after <id>", "Go on after the organization with this id, the last one of the page before.")
    .option("--json", "Print one JSON object.")
    .action((options: OutputOptions & { after?: string }) =>
      withServices(async (services) => {
        const after = options.after === undefined ? null : validId("after", options.after);
        const { rows, hasNextPage } = await listOrganizations(services, OPERATOR, { first: PAGE_SIZE, after });
        const more = hasNextPage ? [`There are more: --after ${rows.at(-1)?.id}`] : [];
        const lines = organizationTable(rows);
        output(options, { organizations: rows, hasNextPage }, [...lines, ...more]);
      }),
    );
  return explain(command, { example: "tenantry org list" });
}

function organizationTable(organizations: readonly Organization[]): string[] {
  const rows = organizations.map(({ id, name, createdAt }) => [id, name, createdAt.toISOString()]);
  return table(["ID", "NAME", "MADE"], rows, "No organizations.");
}

/** `tenantry grant`: an organization's access to a region. */
export function grantCommand(): Command {
  const command = new Command("grant")
    .description("Give an organization access to a region: a tenant database of its own on the region's server.")
    .argument("<organization>", "The id of the organization.")
    .argument("<region>", "The key of the region.")
    .option("--shared", "Use the database that organizations share in the region, in place of one of its own.")
    .option("--json", "Print one JSON object.")
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
  return explain(command, {
    example: `tenantry grant ${SOME_ID} eu`,
    exitsWith1: "the placement is not ACTIVE yet. A worker goes on with it",
    page: "how-to/register-a-region.md",
  });
}

/** `tenantry revoke`: takes it away. */
export function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("Take an organization's access to a region away. Its data there is dropped after 7 days.")
    .argument("<placement>", "The id of the placement.")
    .requiredOption("--confirm <name>", "The name of the organization, so that nobody revokes the wrong one.")
    .option("--skip-grace", "Drop the data now. There is no way back but a backup or an export.")
    .option("--export", "Write everything to the export folder (TENANTRY_EXPORT_DIR) before anything is dropped.")
    .option("--json", "Print one JSON object.")
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
  return explain(command, { example: `tenantry revoke ${SOME_ID} --confirm "Acme"`, page: REVOKING });
}

/** `tenantry resume`: undoes a revocation during its grace. */
export function resumeCommand(): Command {
  const command = new Command("resume")
    .description("Undo a revocation, while the placement is SUSPENDED.")
    .argument("<placement>", "The id of the placement.")
    .option("--json", "Print one JSON object.")
    .action((id: string, options: OutputOptions) =>
      withServices(async (services) => {
        const placementId = validId("placement", id);
        const resumed = await recordedCommand(services, "resumeRegionAccess", onPlacement(placementId), () =>
          resumeRegionAccess(services, OPERATOR, placementId),
        );
        report(options, resumed, "ACTIVE");
      }),
    );
  return explain(command, {
    example: `tenantry resume ${SOME_ID}`,
    exitsWith1: "the placement is not ACTIVE",
    page: REVOKING,
  });
}

/** `tenantry retry`: for after the cause of a failure was mended. */
export function retryCommand(): Command {
  const command = new Command("retry")
    .description("Run again, now, what failed or waits for a placement. Mend the cause first.")
    .argument("<placement>", "The id of the placement.")
    .option("--json", "Print one JSON object.")
    .action((id: string, options: OutputOptions) =>
      withServices(async (services) => {
        const placementId = validId("placement", id);
        const retried = await recordedCommand(services, "retryPlacement", onPlacement(placementId), () =>
          retryPlacement(services, OPERATOR, placementId),
        );
        report(options, retried);
      }),
    );
  return explain(command, { example: `tenantry retry ${SOME_ID}`, page: "how-to/troubleshooting.md" });
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
