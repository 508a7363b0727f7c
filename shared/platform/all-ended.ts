/**
 * As `Promise.all`, but a failure waits until all others have ended as well: a call that is still tried again
 * would go on after the answer.
 */
export const allEnded = async <T extends readonly unknown[] | []>(
  under: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> => {
  await Promise.allSettled(under)
  return Promise.all(under)
}
