/** Makes the sign-in that the configuration asks for. */
import { type BearerOptions, BearerSignIn } from "#engine/auth/bearer";
import { DevelopmentSignIn } from "#engine/auth/development";
import { EndedSignIns } from "#engine/auth/ended-sign-ins";
import type { RoleCache } from "#engine/auth/role-cache";
import type { SignIn } from "#engine/auth/sign-in";
import type { HomeDatabase } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";

export type SignInOptions = { mode: "development" } | ({ mode: "bearer" } & BearerOptions);

type Context = {
  home: HomeDatabase;
  listener: Listener;
  roleCache: RoleCache;
  logger: Record<"warn" | "info", (details: object, message: string) => void>;
};

/** Waits for no identity provider, which may start later than this: what is wrong there is in the log. */
export async function createSignIn(context: Context, options: SignInOptions): Promise<SignIn> {
  const { home, listener, roleCache, logger } = context;
  const endedSignIns = new EndedSignIns(home, (error) =>
    logger.warn({ err: error }, "home cannot be asked whether those who follow are signed in still"),
  );
  await endedSignIns.listen(listener);
  const onError = (error: unknown) => logger.warn({ err: error }, "the identity provider does not answer as it should");
  const onRefused = (reason: string) => logger.info({ reason }, "a token or API key was refused");
  const parts = { home, endedSignIns, roleCache, onError, onRefused };
  const bearer = new BearerSignIn(parts, options.mode === "bearer" ? options : {});
  void bearer.look();
  return options.mode === "bearer" ? bearer : new DevelopmentSignIn({ home }, bearer);
}
