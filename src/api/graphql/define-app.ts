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
  /** After a CONFLICT: the query that is answered without errors when the thing is there already, so that the step is done. */
  already?: string;
};

/** What the explorer counts of home and the regions, in the answer of one query: see `overview.js` beside its page. */
export type Overview = {
  /** Its answer names the regions, as `regions { key name }`, and lists as connections with `pageInfo { hasNextPage }`. */
  query: string;
  rows: readonly {
    label: string;
    /** Where the rows come from and what they mean, in a few words. */
    note: string;
    /** The path to the objects that are looked at; lists on the way are gone through. */
    each: string;
    /** The path, below such an object, to the keys of the regions where its rows lie; null there, or left out: home. */
    regions?: string;
    /** The path, below such an object, to the values that are counted, each once in a place; left out: its id. */
    count?: string;
    /** Counts only objects that have something at this path. */
    having?: string;
  }[];
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
  /** What the explorer counts after the journey; left out: nothing. */
  readonly overview?: Overview;
};

/** Declares an application: the one value that the program is started with. */
export function defineApp(application: Application): Application {
  return application;
}
