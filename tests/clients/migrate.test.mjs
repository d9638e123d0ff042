// `trunkline migrate` from a running PouchDB Server, which has what a CouchDB has: `_all_dbs`, `_security`, `_users`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { bytes, fresh, nodeB as ours, remote, revisions, until, urlOf } from './support.mjs';

const couch = process.env.POUCHDB_SERVER;

/** Runs a command to its end: what it printed, and its exit code. */
const trunkline = (...args) =>
  new Promise((done) => {
    execFile(process.env.TRUNKLINE_BIN, args, { timeout: 120_000 }, (error, stdout, stderr) =>
      done({ code: error ? error.code : 0, told: stdout + stderr }),
    );
  });

const names = [fresh('move'), fresh('other')];
const chosen = names.flatMap((name) => ['--database', name]);
const migrate = async (step, code, ...more) => {
  const ended = await trunkline('migrate', step, couch, ours, ...chosen, ...more);
  assert.equal(ended.code, code, ended.told);
  return ended.told;
};
const json = async (url, method = 'GET', body = undefined) => {
  const headers = { 'content-type': 'application/json' };
  return (await fetch(url, { method, headers, body: body && JSON.stringify(body) })).json();
};
const [theirs, copy] = [remote(couch, names[0]), remote(ours, names[0])];
const security = { admins: { names: ['anna'], roles: [] }, members: { names: [], roles: ['ops'] } };

test('a move there, both ways, and the cut-over', async (t) => {
  for (const name of names) await remote(couch, name).info();
  await json(`${urlOf(couch, names[0])}/_security`, 'PUT', security);
  await theirs.bulkDocs(Array.from({ length: 300 }, (_, n) => ({ _id: `call/${n}`, n })));
  const torn = ['a', 'b'].map((rev) => ({ _id: 'torn', _rev: `1-${rev.repeat(32)}`, rev }));
  await theirs.bulkDocs(torn, { new_edits: false });
  const gone = await theirs.put({ _id: 'gone' });
  await theirs.remove('gone', gone.rev);
  await theirs.put({ _id: '_design/calls', views: { all: { map: 'function (doc) { emit(doc._id); }' } } });
  const audio = bytes(150_000, 3);
  await theirs.putAttachment('message', 'voice.wav', audio, 'audio/wav');

  await t.test('a database that is not there is no success', async () => {
    const ended = await trunkline('migrate', 'start', couch, ours, '--database', 'not-there');
    assert.deepEqual([ended.code, ended.told.trim().split('\n').length], [1, 1]);
  });

  await t.test('start brings everything', async () => {
    assert.match(await migrate('status', 1), /not being moved/);
    assert.match(await migrate('start', 0), /2 databases caught up; the copies follow on\n$/);
    assert.deepEqual(await revisions(copy), await revisions(theirs));
    assert.deepEqual(await json(`${urlOf(ours, names[0])}/_security`), security);
    assert.deepEqual((await copy.get('_design/calls')).views, (await theirs.get('_design/calls')).views);
    assert.deepEqual(Buffer.from(await copy.getAttachment('message', 'voice.wav')), audio);
    assert.match(await migrate('verify', 0), /2 databases the same\n$/);
    assert.match(await migrate('start', 0), /0 begun, 2 under way already/);
  });

  await t.test('a write during the move arrives', async () => {
    await theirs.put({ _id: 'late', n: 1 });
    await until('the late write', async () => (await copy.get('late')).n === 1);
    assert.match(await migrate('status', 0), /running/);
  });

  await t.test('no cut-over while there are differences', async () => {
    await copy.put({ _id: 'ours', n: 2 });
    assert.match(await migrate('cut-over', 1), /\nours, only at the target: 1-.*nothing was ended/s);
    const compared = await trunkline('verify', urlOf(couch, names[0]), urlOf(ours, names[0]));
    assert.deepEqual([compared.code, /1 document differs\n$/.test(compared.told)], [1, true], compared.told);
  });

  await t.test('both ways, then cut over, then finish', async () => {
    assert.match(await migrate('start', 0, '--both-ways'), /2 begun/);
    await until('the write to our side', async () => (await theirs.get('ours')).n === 2);
    assert.match(await migrate('cut-over', 0), /cut over: 2 databases.*2 databases still replicated back/s);
    await copy.put({ _id: 'after', n: 3 });
    await until('the write after the cut-over', async () => (await theirs.get('after')).n === 3);
    assert.match(await migrate('status', 0), /cut over, and replicated back/);
    assert.equal(await migrate('finish', 0), '2 replications ended\n');
    const compared = await trunkline('verify', urlOf(couch, names[0]), urlOf(ours, names[0]));
    assert.equal(compared.code, 0, compared.told);
  });
});
