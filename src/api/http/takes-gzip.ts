/** Whether a client takes its answer compressed, by its `Accept-Encoding`. */
export function takesGzip(accepted = ""): boolean {
  return accepted.split(",").some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(one));
}
