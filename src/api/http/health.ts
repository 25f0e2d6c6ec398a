import { delay } from "#base/kernel/wait";
import type { Services } from "#engine/services";

const TIMEOUT_MS = 2_000;

/** Whether home answers in time: without it nothing works. A region that is down does not count. */
export async function checkReady({ home }: Pick<Services, "home">): Promise<boolean> {
  const stop = new AbortController();
  try {
    const late = delay(TIMEOUT_MS, stop.signal).then(() => false);
    const answered = home.query("health.ready", "select 1").then(() => true);
    return await Promise.race([answered, late]);
  } catch {
    return false;
  } finally {
    stop.abort();
  }
}
