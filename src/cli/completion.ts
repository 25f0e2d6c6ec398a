import { Argument, type Command as CommandType, Command } from "commander";
import { print } from "#cli/output";
import { explain } from "#cli/reference";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** `tenantry completion`: what a shell completes, made of the commands that there are. */
export function completionCommand(): Command {
  const command = new Command("completion")
    .description("Print a script with which a shell completes commands and options.")
    .addArgument(new Argument("<shell>", "The shell that reads the script.").choices(SHELLS))
    .action((shell: Shell, _: object, given: CommandType) => print(scriptFor(shell, given.parent ?? given)));
  return explain(command, { example: "tenantry completion bash >> ~/.bashrc" });
}

/** What may follow a command: its words as they are typed, without the program's. */
type Entry = { path: string; commands: { name: string; about: string }[]; options: { name: string; about: string }[] };

function entriesOf(command: CommandType, path: string[] = []): Entry[] {
  const options = command.options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ name: long, about: description }],
  );
  const commands = command.commands.map((one) => ({ name: one.name(), about: one.summary() || one.description() }));
  const entry = { path: path.join(" "), commands, options: [...options, { name: "--help", about: "Print the help." }] };
  return [entry, ...command.commands.flatMap((one) => entriesOf(one, [...path, one.name()]))];
}

function scriptFor(shell: Shell, program: CommandType): string {
  const entries = entriesOf(program);
  if (shell === "fish") return fish(entries);
  const bash = bashOf(entries);
  return shell === "bash" ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

/** Understood by bash from 3.2 on, as macOS has it, and by zsh. */
function bashOf(entries: readonly Entry[]): string {
  const paths = entries.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  const words = entries.map(({ path, commands, options }) => {
    const names = [...commands, ...options].map(({ name }) => name).join(" ");
    return `    "${path}") words="${names}" ;;`;
  });
  return [
    "_tenantry() {",
    '  local path="" next index words=""',
    "  for ((index = 1; index < COMP_CWORD; index++)); do",
    '    next="${path:+$path }${COMP_WORDS[index]}"',
    '    case "$next" in',
    `    ${paths.join("|")}) path="$next" ;;`,
    "    esac",
    "  done",
    '  case "$path" in',
    ...words,
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    "}",
    "complete -o default -F _tenantry tenantry",
  ].join("\n");
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ path, commands, options }) => [
    ...commands.map(
      ({ name, about }) => `complete -c tenantry -f -n "__tenantry_at '${path}'" -a ${name} -d ${quoted(about)}`,
    ),
    ...options.map(
      ({ name, about }) =>
        `complete -c tenantry -n "__tenantry_under '${path}'" -l ${name.slice(2)} -d ${quoted(about)}`,
    ),
  ]);
  return [
    "function __tenantry_words",
    "  set -l words (commandline -opc)",
    "  string join ' ' -- (string match -v -- '-*' $words[2..])",
    "end",
    "function __tenantry_at",
    '  test (__tenantry_words) = "$argv"',
    "end",
    "function __tenantry_under",
    '  string match -q -- "$argv *" (__tenantry_words)" "',
    "end",
    ...lines,
  ].join("\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
