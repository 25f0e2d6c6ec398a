import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { createProgram, run } from "#cli/main";

async function script(shell: string): Promise<string> {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await run(["completion", shell]);
  const text = write.mock.calls.map(([one]) => String(one)).join("");
  write.mockRestore();
  return text;
}

/** What bash offers when the last word is being typed. */
async function offers(...words: string[]): Promise<string[]> {
  const typed = ["tenantry", ...words].map((word) => `'${word}'`).join(" ");
  const program = `${await script("bash")}
COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _tenantry; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", program]);
  return stdout.trim().split("\n");
}

test("bash completes commands, commands below them, and options", async () => {
  expect(await offers("")).toEqual(expect.arrayContaining(createProgram().commands.map((one) => one.name())));
  expect(await offers("reg")).toEqual(["region"]);
  expect(await offers("region", "")).toEqual(["add", "list", "check", "update", "retire", "--help"]);
  expect(await offers("region", "add", "eu", "--na")).toEqual(["--name"]);
  expect(await offers("placement", "list", "--organization", "0190", "--")).toEqual([
    "--organization",
    "--region",
    "--json",
    "--help",
  ]);
  expect(await offers("nonsense", "--v")).toEqual(["--version"]);
});

test("zsh reads bash's script, and fish has one of its own", async () => {
  expect(await script("zsh")).toBe(`autoload -U +X bashcompinit && bashcompinit\n${await script("bash")}`);
  const fish = await script("fish");
  expect(fish).toContain(`complete -c tenantry -f -n "__tenantry_at 'region'" -a retire -d 'Take a region`);
  expect(fish).toContain(`complete -c tenantry -n "__tenantry_under 'region add'" -l pool-url -d `);
});
