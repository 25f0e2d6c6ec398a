import type fc from "fast-check";

/** A command that can always run; fast-check shrinks a failing sequence of them. */
export class ModelCommand<Model extends object, Real> implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #run: (model: Model, real: Real) => Promise<unknown>;

  constructor(name: string, run: (model: Model, real: Real) => Promise<unknown>) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.#run(model, real);
  }

  toString(): string {
    return this.#name;
  }
}
