import type { SignIn } from "#engine/auth/sign-in";
import type { Settings } from "#config";

/** What bounds the API, with nothing left open. */
export type ApiSettings = Settings["api"] & { introspection: boolean; explorer: boolean; console: boolean };

/** Where nothing is said, everybody may ask for the schema in development only. */
export function settingsOf(api: Settings["api"], mode: SignIn["mode"]): ApiSettings {
  const { introspection = mode === "development", explorer = true, console = true } = api;
  return { ...api, introspection, explorer, console };
}
