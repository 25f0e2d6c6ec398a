/** Who is signed in, and what the page may offer them. */
import { createContext, useContext } from "react";
import { graphql, type ResultOf } from "./graphql.ts";

export const VIEWER = graphql(`
  query Viewer {
    viewer {
      who
      via
      readOnly
      user { id name }
      organization { id name }
    }
  }
`);

export type Viewer = ResultOf<typeof VIEWER>["viewer"];

export const ViewerContext = createContext<Viewer | undefined>(undefined);

/** Within the signed-in part of the page only. */
export function useViewer(): Viewer {
  const viewer = useContext(ViewerContext);
  if (viewer === undefined) throw new Error("Nobody is signed in here.");
  return viewer;
}

/** Whether they see the whole platform: an operator, who may also be one that changes nothing. */
export function isOperator({ who }: Viewer): boolean {
  return who === "OPERATOR";
}

/** Whether buttons that act are shown. What an OWNER may do in their organization, `viewerMay` says. */
export function mayOperate(viewer: Viewer): boolean {
  return isOperator(viewer) && !viewer.readOnly;
}

/** In words, for the foot of the navigation. */
export function nameOf({ who, via, readOnly, user, organization }: Viewer): string {
  if (who === "USER") return user?.name ?? "A user";
  if (who === "KEY") return `A key of ${organization?.name ?? "an organization"}`;
  if (via === "DEVELOPMENT") return "Operator (development, no sign-in)";
  return readOnly ? "Operator, read-only" : "Operator";
}
