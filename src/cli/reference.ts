/** What a command's help and the reference page say beyond its arguments and options. */
import type { Command } from "commander";

type Reference = {
  /** A whole command line. */
  example: string;
  /** When the exit code is 1 although nothing failed. */
  exitsWith1?: string;
  /** The page in docs/ that explains it. */
  page?: string;
};

/** An id for examples. */
export const SOME_ID = "01993c1e-8f1a-7a52-8000-3f2b6c9d1e00";

const references = new WeakMap<Command, Reference>();

/** Adds them to the command's help. */
export function explain(command: Command, reference: Reference): Command {
  const { example, exitsWith1, page } = reference;
  references.set(command, reference);
  // In the list of commands.
  command.summary(command.description().replace(/\. .*$/, "."));
  const parts = [
    `Example:\n  ${example}`,
    ...(exitsWith1 === undefined ? [] : [`Exit code 1: ${exitsWith1}.`]),
    ...(page === undefined ? [] : [`More: docs/${page}`]),
  ];
  return command.addHelpText("after", `\n${parts.join("\n\n")}`);
}

/** Undefined for a command that only groups others. */
export function referenceOf(command: Command): Reference | undefined {
  return references.get(command);
}
