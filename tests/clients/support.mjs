// What the node suites share: where the servers are, databases of their own, and waiting for what must become true.

import nano from 'nano';
import PouchDB from 'pouchdb';
import memory from 'pouchdb-adapter-memory';

PouchDB.plugin(memory);

const fromEnvironment = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start with tests/clients/run`);
  return value;
};

/** Two Trunkline nodes. */
export const nodeA = fromEnvironment('TRUNKLINE_A');
export const nodeB = fromEnvironment('TRUNKLINE_B');

let made = 0;

/** A database name that no other test uses. */
export const fresh = (stem) => `${stem}-${process.pid}-${made++}`;

/** A database URL; the name may hold slashes and plus signs. */
export const urlOf = (server, name) => `${server}/${encodeURIComponent(name)}`;

/** A PouchDB in memory. */
export const local = () => new PouchDB(fresh('local'), { adapter: 'memory' });

/** A remote database as PouchDB sees it; created on first use. `seen` gets each request's method and path. */
export const remote = (server, name, seen = []) =>
  new PouchDB(urlOf(server, name), {
    fetch: (url, options = {}) => {
      seen.push(`${options.method ?? 'GET'} ${new URL(url).pathname}`);
      return PouchDB.fetch(url, options);
    },
  });

/** A nano server scope. */
export const server = (url) => nano(url);

/** Waits until `probe` answers something true, and answers that. */
export async function until(what, probe, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      const found = await probe();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
}

/** Bytes that are no text, so that a wrong encoding shows. */
export const bytes = (length, seed = 1) => {
  const out = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    out[at] = state >>> 16;
  }
  return out;
};

/** Every document of a PouchDB, in order of id: its winner, whether that is deleted, and all its leaves. */
export async function revisions(db) {
  const [winners, all] = await Promise.all(
    ['main_only', 'all_docs'].map((style) => db.changes({ since: 0, style, return_docs: true })),
  );
  const leaves = new Map(all.results.map(({ id, changes }) => [id, changes.map(({ rev }) => rev).sort()]));
  return winners.results
    .map(({ id, deleted, changes }) => ({ id, deleted: deleted ?? false, winner: changes[0].rev, leaves: leaves.get(id) }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
}

export { PouchDB };
