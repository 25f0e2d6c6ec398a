/** Limits on documents, over every transport: tokens while parsing, shape before validation, introspection with it. */
import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  parse,
  type ParseOptions,
  type Source,
  validate,
  type ValidationContext,
} from "graphql";
import type { Plugin } from "graphql-yoga";
import type { Actor } from "#engine/auth/actor";
import { findExcess } from "#api/graphql/limits/document-shape";
import type { GraphQLContext } from "#api/graphql/context";
import { TenantryError } from "#base/kernel/errors";
import type { Limits } from "#base/kernel/limits";
import { limitError } from "#api/http/limits/limit-error";

/** Long strings are few tokens: documents are kept parsed for the next time, and this bounds what that takes. */
const MAX_DOCUMENT_LENGTH = 200_000;
/** Validation stops after this many errors: nobody reads more, and each costs time. */
const MAX_VALIDATION_ERRORS = 20;

/** `introspection`: whether everybody may ask for the schema, and not the operator alone. */
export function limitDocuments(limits: Limits, introspection: boolean): Plugin<GraphQLContext> {
  const looked = new WeakMap<DocumentNode, TenantryError | undefined>();
  return {
    onParse({ setParseFn }) {
      setParseFn((source: string | Source, options?: ParseOptions) => parseWithin(limits.maxTokens, source, options));
    },
    onValidate({ params, context, setResult, addValidationRule, setValidationFn }) {
      const documentAST = params.documentAST as DocumentNode;
      if (!looked.has(documentAST)) looked.set(documentAST, findExcess(documentAST, limits));
      const excess = looked.get(documentAST);
      if (excess !== undefined) {
        setResult([limitError(excess)]);
        return;
      }
      const isHidden = !introspection && (context as { actor?: Actor }).actor?.kind !== "operator";
      if (isHidden) addValidationRule(NoIntrospectionRule);
      setValidationFn(((schema, document, rules) =>
        validate(schema, document, rules, {
          maxErrors: MAX_VALIDATION_ERRORS,
          // "Did you mean" would tell the names one by one.
          hideSuggestions: isHidden,
        })) as typeof validate);
    },
    onExecute: ({ args }) => hideSuggestions(args, introspection),
    onSubscribe: ({ args }) => hideSuggestions(args, introspection),
  };
}

/** The executor, too, suggests names where a variable's value has an unknown field. */
function hideSuggestions(args: { contextValue?: unknown }, introspection: boolean): undefined {
  const { actor } = args.contextValue as GraphQLContext;
  if (!introspection && actor.kind !== "operator") Object.assign(args, { hideSuggestions: true });
  return undefined;
}

function parseWithin(maxTokens: number, source: string | Source, options?: ParseOptions): DocumentNode {
  const { length } = typeof source === "string" ? source : source.body;
  if (length > MAX_DOCUMENT_LENGTH)
    throw refuse(`The document is longer than ${MAX_DOCUMENT_LENGTH} characters: put long values into variables.`);
  try {
    return parse(source, { ...options, maxLexicalTokens: maxTokens });
  } catch (error) {
    // The parser says it in words only.
    if (error instanceof GraphQLError && error.message.includes("Document contains more than"))
      throw refuse(`The document has more than ${maxTokens} tokens.`);
    throw error;
  }
}

function refuse(message: string): GraphQLError {
  return limitError(new TenantryError("LIMIT_EXCEEDED", message, { limit: "document" }));
}

function NoIntrospectionRule(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      if (node.name.value !== "__schema" && node.name.value !== "__type") return;
      const cause = new TenantryError("FORBIDDEN", "Introspection is off here, but for the operator.");
      context.reportError(new GraphQLError(cause.message, { nodes: node, cause }));
    },
  };
}
