/** Stands in for every page while nobody is signed in, so that an address that was sent leads there afterwards. */
import { useState } from "react";
import { ApiError, request } from "../../api/request.ts";
import { session } from "../../api/session.ts";
import { VIEWER } from "../../api/viewer.ts";
import { TextField } from "../../ui/fields.tsx";
import { ThemeSwitch } from "../../shell/navigation.tsx";
import { CommandLine } from "../../ui/copy.tsx";

const WRONG = "This is no key or token that the API takes. It may have expired or been revoked.";

export function SignIn() {
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isAtWork, setAtWork] = useState(false);
  const signIn = async () => {
    setAtWork(true);
    setProblem(undefined);
    try {
      await request(VIEWER, {}, undefined, typed.trim());
      session.set(typed.trim());
    } catch (error) {
      setProblem(error instanceof ApiError && error.code !== "UNAUTHENTICATED" ? error.message : WRONG);
      setAtWork(false);
    }
  };
  return (
    <main className="alone">
      <title>Sign in · Tenantry</title>
      <section className="panel" aria-label="Sign in">
        <form
          className="panel-body form"
          onSubmit={(event) => {
            event.preventDefault();
            void signIn();
          }}
        >
          <h1>Tenantry console</h1>
          <TextField
            label="API key or token"
            type="password"
            value={typed}
            onChange={setTyped}
            error={problem}
            hint="It stays in this page's memory. A reload asks for it again."
            isRequired
            isMono
          />
          <button type="submit" className="button primary" disabled={typed.trim() === "" || isAtWork}>
            {isAtWork ? "Signing in …" : "Sign in"}
          </button>
          <div className="stack">
            <p className="muted">An operator makes a key beside the database:</p>
            <CommandLine command='tenantry key create --operator --name "console"' />
            <p className="muted">
              With <code>--read-only</code> it sees everything and changes nothing. An OWNER's key or token sees their
              organization.
            </p>
          </div>
          <ThemeSwitch />
        </form>
      </section>
    </main>
  );
}
