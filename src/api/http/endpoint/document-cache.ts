/**
 * Parsed documents by their text, the least recently used of which goes first. graphql-yoga brings such a cache, but bounds
 * it by the number of documents only: with long texts that is gigabytes.
 */
import type { DocumentNode } from "graphql";

const MAX_DOCUMENTS = 1_024;
/** Of all texts together. A parsed document takes many times the bytes of its text, and never without bound. */
const MAX_CHARACTERS = 1_000_000;

export class DocumentCache {
  /** In the order of their last use. */
  readonly #documents = new Map<string, DocumentNode>();
  #characters = 0;

  get(text: string): DocumentNode | undefined {
    const document = this.#documents.get(text);
    if (document === undefined) return undefined;
    this.#documents.delete(text);
    this.#documents.set(text, document);
    return document;
  }

  /** A text that is too long alone is not kept: it would drive out all others. */
  set(text: string, document: DocumentNode): void {
    if (text.length > MAX_CHARACTERS) return;
    this.#remove(text);
    this.#documents.set(text, document);
    this.#characters += text.length;
    for (const oldest of this.#documents.keys()) {
      if (this.#documents.size <= MAX_DOCUMENTS && this.#characters <= MAX_CHARACTERS) return;
      this.#remove(oldest);
    }
  }

  #remove(text: string): void {
    if (this.#documents.delete(text)) this.#characters -= text.length;
  }
}
