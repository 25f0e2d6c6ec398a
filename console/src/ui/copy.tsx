/** Text to take along: ids and commands. */
import { useState } from "react";
import { Icon } from "./icon.tsx";
import { shortId } from "./format.ts";

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <button
      type="button"
      className="button plain"
      aria-label={isCopied ? "Copied" : `Copy ${what}`}
      title={`Copy ${what}`}
      onBlur={() => setCopied(false)}
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => setCopied(true));
      }}
    >
      <Icon name={isCopied ? "check" : "copy"} />
    </button>
  );
}

/** What to type next. */
export function CommandLine({ command }: { command: string }) {
  return (
    <span className="command">
      <code>{command}</code>
      <CopyButton text={command} what="the command" />
    </span>
  );
}

export function Id({ id }: { id: string }) {
  return (
    <span className="id">
      <code title={id}>{shortId(id)}</code>
      <CopyButton text={id} what="the id" />
    </span>
  );
}
