/**
 * Named places where a test makes things go wrong: the process ends, a server is killed, an error is thrown. Without an
 * armed failpoint they cost one look into an empty map.
 */
type Action = () => Promise<void> | void;

const armed = new Map<string, Action>();

/** Runs `action` whenever the failpoint of this name is passed, until the returned function is called. */
export function armFailpoint(name: string, action: Action): () => void {
  armed.set(name, action);
  return () => {
    armed.delete(name);
  };
}

/** Passes a failpoint; what its action throws is thrown here. */
export async function failpoint(name: string): Promise<void> {
  const action = armed.get(name);
  if (action !== undefined) await action();
}
