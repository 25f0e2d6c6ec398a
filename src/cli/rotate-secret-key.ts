import { Command } from "commander";
import { recordedCommand } from "#cli/recorded";
import { withServices } from "#cli/services";
import { rotateSecretKey } from "#engine/links/rotate-secret-key";

/** `tenantry rotate-secret-key`: the middle of changing TENANTRY_SECRET_KEY. */
export function rotateSecretKeyCommand(): Command {
  return new Command("rotate-secret-key")
    .description("encrypt stored secrets with TENANTRY_SECRET_KEY, those of TENANTRY_SECRET_KEY_PREVIOUS included")
    .option("--json", "print one JSON object")
    .action(({ json }: { json?: boolean }) =>
      withServices(async (services) => {
        const rotation = await recordedCommand(services, "rotateSecretKey", {}, () => rotateSecretKey(services));
        process.stdout.write(
          json === true
            ? `${JSON.stringify(rotation)}\n`
            : `${rotation.rotated} secrets were encrypted with the current key, ${rotation.current} were already.\nTENANTRY_SECRET_KEY_PREVIOUS can go once every process has the current key.\n`,
        );
      }),
    );
}
