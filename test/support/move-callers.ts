/** Callers that write in an organization while it moves, and a model of what must be there afterwards. */
import type { TestApp } from "./app.ts";

const CREATE = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
const UPDATE = "mutation ($input: UpdateCommentInput!) { updateComment(input: $input) { id } }";
const DELETE = "mutation ($input: DeleteCommentInput!) { deleteComment(input: $input) }";

/** Comments of one resource, by id. */
export type Model = Map<string, string>;

export type Callers = {
  model: Model;
  /** Whatever was refused. */
  errors: unknown[];
  /** How many writes have been answered. */
  count: () => number;
  /** Ends them, and waits for what is under way. */
  stop: () => Promise<void>;
};

/** `callers` at once, each in a loop of its own on its own comments. */
export function startCallers(
  apps: readonly TestApp[],
  { resourceId, authorId, callers = 4 }: { resourceId: string; authorId: string; callers?: number },
): Callers {
  const model: Model = new Map();
  const errors: unknown[] = [];
  let isOver = false;
  let written = 0;
  const one = async (app: TestApp, caller: number) => {
    const mine: string[] = [];
    for (let turn = 0; !isOver; turn += 1) {
      const body = `${caller}.${turn}`;
      const oldest = mine[0];
      try {
        if (turn % 5 === 4 && oldest !== undefined) {
          await app.ask(DELETE, { input: { commentId: oldest } });
          mine.shift();
          model.delete(oldest);
        } else if (turn % 3 === 2 && oldest !== undefined) {
          await app.ask(UPDATE, { input: { commentId: oldest, body } });
          model.set(oldest, body);
        } else {
          const { createComment } = await app.ask(CREATE, { input: { resourceId, authorId, body } });
          mine.push(createComment.id);
          model.set(createComment.id, body);
        }
        written += 1;
      } catch (error) {
        errors.push(error);
        if (errors.length > 20) return;
      }
    }
  };
  const running = Array.from({ length: callers }, (_, caller) => one(apps[caller % apps.length] as TestApp, caller));
  return {
    model,
    errors,
    count: () => written,
    stop: async () => {
      isOver = true;
      await Promise.all(running);
    },
  };
}

const LIST = `query ($id: ID!, $after: String) {
  resource(id: $id) { comments(first: 100, after: $after) { edges { node { id body } } pageInfo { hasNextPage endCursor } } } }`;

/** All comments of the resource, as the API shows them. */
export async function readComments(app: TestApp, resourceId: string): Promise<Model> {
  const found: Model = new Map();
  for (let after: string | null = null; ; ) {
    const { resource }: any = await app.ask(LIST, { id: resourceId, after });
    for (const { node } of resource.comments.edges) found.set(node.id, node.body);
    if (!resource.comments.pageInfo.hasNextPage) return found;
    after = resource.comments.pageInfo.endCursor;
  }
}
