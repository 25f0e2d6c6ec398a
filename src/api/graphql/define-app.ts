/** What an application brings to the API. */
import type { Module } from "#api/graphql/module";
import type { EraseSql } from "#engine/erasure/erase-sql";
import type { InvitationTemplate } from "#engine/people/invitation-template";
import type { MigrationSet } from "#engine/migrations/migration-set";

/** An example operation of the explorer, in the order of a journey. */
export type JourneyStep = {
  title: string;
  /** What it does and what to look at, in a sentence or two. */
  text: string;
  query: string;
  /**
   * `{{name}}` stands for something an earlier step saved, or for what the page knows: `unique` (a fresh text),
   * `regionUrl.eu`, `regionUrl.us`.
   */
  variables: Record<string, unknown>;
  /** What later steps need of the answer: a name and the path to it below `data`. */
  saves?: Record<string, string>;
};

/** An application: what the engine and its API do not know, as one value. */
export type Application = {
  /** Its tables, as migrations: what tenant databases and home are brought to. */
  readonly tenantSchema: MigrationSet;
  /** What erasing somebody does to these tables, besides taking the id out of declared columns; left out: nothing. */
  readonly eraseSql?: EraseSql | undefined;
  /** Its letter of invitation; left out: the one that ships. */
  readonly invitationTemplate?: InvitationTemplate | undefined;
  /** What the API has besides the engine's own modules. */
  readonly modules: readonly Module[];
  /** What the explorer shows; left out: nothing. */
  readonly journey?: readonly JourneyStep[];
};

/** Declares an application: the one value that the program is started with. */
export function defineApp(application: Application): Application {
  return application;
}
