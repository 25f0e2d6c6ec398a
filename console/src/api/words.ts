/** The words of the schema's enums, as filters take them. The type checker compares them with the schema. */
import type { graphql } from "./graphql.ts";

type Scalar<Name extends Parameters<typeof graphql.scalar>[0]> = ReturnType<typeof graphql.scalar<Name>>;

export type PlacementState = Scalar<"PlacementState">;
export type JobState = Scalar<"JobState">;
export type LinkState = Scalar<"LinkState">;
export type AuditActor = Scalar<"AuditActor">;
export type MoveStep = Scalar<"MoveStep">;
export type Role = Scalar<"Role">;
export type Severity = Scalar<"Severity">;

export const PLACEMENT_STATES = [
  "ACTIVE",
  "PROVISIONING",
  "MOVING",
  "SUSPENDED",
  "REVOKING",
  "FAILED",
] as const satisfies readonly PlacementState[];
export const JOB_STATES = ["WAITING", "RUNNING", "FAILED", "DONE", "CANCELLED"] as const satisfies readonly JobState[];
export const LINK_STATES = ["AWAKE", "PARKED", "LATE", "BROKEN"] as const satisfies readonly LinkState[];
export const ACTORS = ["OPERATOR", "USER", "KEY"] as const satisfies readonly AuditActor[];
export const ROLES = ["OWNER", "ADMIN", "MEMBER", "VIEWER"] as const satisfies readonly Role[];
export const YES = ["yes"] as const;
