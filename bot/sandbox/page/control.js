/**
 * The page's one line to the sandbox: `/state` is followed, `/do` is told what a person did.
 */

/** Milliseconds before each new try while the sandbox does not answer; the last one repeats. */
const PAUSES = [500, 1000, 2000, 4000];

/** Milliseconds a person's action may take to be taken; the sandbox answers it at once. */
const ACTION_LIMIT = 10_000;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * Follow the state as one person sees it.
 *
 * @param {{onState: function, onLost: function}} to `onState(state)` for each answer, in order;
 *   `onLost(sentence|null)` when the sandbox did not answer (null) or answered with a refusal.
 * @returns {{as: function}} `as(person)` starts over as that person ("" for whoever is first).
 */
export function follow({ onState, onLost }) {
  let abort = new AbortController();

  async function loop(person, signal) {
    let revision = -1;
    let misses = 0;
    while (!signal.aborted) {
      const { state, refusal } = await ask(person, revision, signal);
      if (signal.aborted) return;
      if (state) {
        misses = 0;
        revision = state.revision;
        onState(state);
      } else {
        onLost(refusal);
        revision = -1; // A sandbox that was started again counts from the beginning.
        await pause(PAUSES[Math.min(misses, PAUSES.length - 1)]);
        misses += 1;
      }
    }
  }

  return {
    as(person) {
      abort.abort();
      abort = new AbortController();
      void loop(person, abort.signal);
    },
  };
}

/** One long poll: the state, or why not; null where no answer came that can be read. */
async function ask(person, since, signal) {
  try {
    const answer = await fetch(`state?${new URLSearchParams({ as: person, since })}`, {
      signal,
      cache: "no-store",
    });
    const body = await answer.json();
    if (answer.ok) return { state: body };
    return { refusal: body.error || `The sandbox answered ${answer.status}.` };
  } catch {
    return { refusal: null };
  }
}

/**
 * A function that tells the sandbox what a person did, one thing after another in that order.
 *
 * @param {function} onRefused called with the sandbox's sentence, or null when it did not answer.
 * @returns {function(object): Promise<boolean>} whether the action was taken.
 */
export function teller(onRefused) {
  let last = Promise.resolve();

  async function tell(action) {
    let answer;
    try {
      answer = await fetch("do", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(action),
        signal: AbortSignal.timeout(ACTION_LIMIT),
      });
    } catch {
      onRefused(null); // No answer at all, whichever way: the person is told, and may try again.
      return false;
    }
    if (answer.ok) return true;
    const { error } = await answer.json().catch(() => ({}));
    onRefused(error || `The sandbox answered ${answer.status}.`);
    return false;
  }

  return (action) => {
    last = last.then(() => tell(action));
    return last;
  };
}
