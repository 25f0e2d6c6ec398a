import type { SignIn } from "#engine/auth/sign-in";
import type { Settings } from "#config";

/** What bounds the API, with nothing left open. */
export type ApiSettings = Settings["api"] & { introspection: boolean; explorer: boolean };

/** Where nothing is said, everybody may ask for the schema in development only. */
export function settingsOf(api: Settings["api"], mode: SignIn["mode"]): ApiSettings {
  return { ...api, introspection: api.introspection ?? mode === "development", explorer: api.explorer ?? true };
}
