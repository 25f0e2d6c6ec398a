import { Command } from "commander";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { rotateSecretKey } from "#engine/links/rotate-secret-key";

/** `tenantry rotate-secret-key`: the middle of changing TENANTRY_SECRET_KEY. */
export function rotateSecretKeyCommand(): Command {
  const command = new Command("rotate-secret-key")
    .description(
      "Encrypt all stored secrets with TENANTRY_SECRET_KEY. TENANTRY_SECRET_KEY_PREVIOUS names the keys that they may be encrypted with now.",
    )
    .option("--json", "Print one JSON object.")
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
  return explain(command, { example: "tenantry rotate-secret-key", page: "how-to/rotate-keys.md" });
}
