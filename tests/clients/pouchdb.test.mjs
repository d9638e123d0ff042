// PouchDB with a Trunkline server as its remote: sync, conflicts, attachments, filters, names, live feeds.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bytes, fresh, local, nodeA, remote, revisions, until, urlOf } from './support.mjs';

async function pair(stem) {
  const name = fresh(stem);
  const here = local();
  const seen = [];
  const there = remote(nodeA, name, seen);
  await there.info();
  return {
    here,
    there,
    name,
    seen,
    async end() {
      await here.destroy();
      await there.destroy();
    },
  };
}

const missing = (db, id) =>
  db.get(id).then(
    () => false,
    (error) => error.status === 404,
  );

test('info, put, get, update, remove and bulk through the http adapter', async () => {
  const { there, name, end } = await pair('plain');
  const info = await there.info();
  assert.equal(info.db_name, name);
  assert.equal(info.doc_count, 0);
  const first = await there.put({ _id: 'call-1', seconds: 42, caller: 'Žofie ☎' });
  assert.match(first.rev, /^1-[0-9a-f]{32}$/);
  assert.deepEqual(await there.get('call-1'), { _id: 'call-1', _rev: first.rev, seconds: 42, caller: 'Žofie ☎' });
  await assert.rejects(there.put({ _id: 'call-1', seconds: 1 }), { status: 409, name: 'conflict' });
  const second = await there.put({ _id: 'call-1', _rev: first.rev, seconds: 43 });
  assert.match(second.rev, /^2-/);
  await there.remove('call-1', second.rev);
  await assert.rejects(there.get('call-1'), { status: 404, reason: 'deleted' });
  const made = await there.bulkDocs([{ _id: 'a' }, { _id: 'b' }, { n: 3 }]);
  assert.ok(made.every(({ ok }) => ok));
  const all = await there.allDocs({ include_docs: true });
  assert.equal(all.total_rows, 3);
  assert.deepEqual((await there.allDocs({ keys: ['b', 'none', 'call-1'] })).rows.map((row) => row.error ?? row.value.deleted ?? 'ok'), [
    'ok',
    'not_found',
    true,
  ]);
  const range = await there.allDocs({ startkey: 'a', endkey: 'b\ufff0', descending: false });
  assert.deepEqual(range.rows.map(({ id }) => id).slice(0, 2), ['a', 'b']);
  await end();
});

test('the revision ids of equal edits are equal here and there', async () => {
  const { here, there, end } = await pair('revs');
  const doc = { _id: 'same', text: 'ünïcode', n: [1, 2.5, -3, true, null], nested: { b: 1, a: 2 } };
  const one = await there.put(doc);
  assert.match(one.rev, /^1-[0-9a-f]{32}$/);
  // The same edit on another database of the server.
  const other = remote(nodeA, fresh('revs'));
  assert.equal((await other.put(doc)).rev, one.rev);
  await here.replicate.from(there);
  assert.equal((await here.get('same'))._rev, one.rev);
  await other.destroy();
  await end();
});

test('two-way live sync carries creates, updates and deletes both ways', async () => {
  const { here, there, end } = await pair('live');
  const sync = here.sync(there, { live: true, retry: true });
  const failures = [];
  sync.on('error', (error) => failures.push(error)).on('denied', (doc) => failures.push(doc));
  const mine = await here.put({ _id: 'from-here', n: 1 });
  const theirs = await there.put({ _id: 'from-there', n: 1 });
  await until('each has both', async () => (await here.get('from-there')) && (await there.get('from-here')));
  await there.put({ _id: 'from-here', _rev: mine.rev, n: 2 });
  await here.put({ _id: 'from-there', _rev: theirs.rev, n: 2 });
  await until('updates crossed', async () => {
    const [one, other] = [await here.get('from-here'), await there.get('from-there')];
    return one.n === 2 && other.n === 2;
  });
  await here.remove(await here.get('from-here'));
  await there.remove(await there.get('from-there'));
  await until('deletes crossed', async () => (await missing(there, 'from-here')) && (await missing(here, 'from-there')));
  await here.bulkDocs(Array.from({ length: 250 }, (_, n) => ({ _id: `here-${n}` })));
  await there.bulkDocs(Array.from({ length: 250 }, (_, n) => ({ _id: `there-${n}` })));
  await until('500 on each side', async () => {
    const [one, other] = [await here.info(), await there.info()];
    return one.doc_count === 500 && other.doc_count === 500;
  });
  sync.cancel();
  await new Promise((done) => sync.on('complete', done));
  assert.deepEqual(failures, []);
  assert.deepEqual(await revisions(here), await revisions(there));
  await end();
});

test('a conflict is kept on both sides, with the same winner, until it is resolved', async () => {
  const { here, there, end } = await pair('conflict');
  const base = await here.put({ _id: 'status', state: 'ringing' });
  await here.sync(there);
  await here.put({ _id: 'status', _rev: base.rev, state: 'answered' });
  await there.put({ _id: 'status', _rev: base.rev, state: 'busy' });
  await here.sync(there);
  const [one, other] = [await here.get('status', { conflicts: true }), await there.get('status', { conflicts: true })];
  assert.equal(one._rev, other._rev);
  assert.equal(one._conflicts.length, 1);
  assert.deepEqual(one._conflicts, other._conflicts);
  const loser = await there.get('status', { rev: one._conflicts[0] });
  assert.notEqual(loser.state, one.state);
  const leaves = await there.get('status', { open_revs: 'all' });
  assert.deepEqual(leaves.map(({ ok }) => ok.state).sort(), ['answered', 'busy']);
  await there.remove('status', one._conflicts[0]);
  await here.sync(there);
  const settled = await here.get('status', { conflicts: true });
  assert.equal(settled._rev, one._rev);
  assert.equal(settled._conflicts, undefined);
  assert.deepEqual(await revisions(here), await revisions(there));
  await end();
});

test('an edit beats a concurrent delete on both sides', async () => {
  const { here, there, end } = await pair('deleted');
  const base = await here.put({ _id: 'doc', n: 1 });
  await here.sync(there);
  await here.remove('doc', base.rev);
  await there.put({ _id: 'doc', _rev: base.rev, n: 2 });
  await here.sync(there);
  assert.equal((await here.get('doc')).n, 2);
  assert.equal((await there.get('doc')).n, 2);
  assert.deepEqual(await revisions(here), await revisions(there));
  await end();
});

test('attachments go both ways byte for byte, and not again when only the document changed', async () => {
  const { here, there, name, seen, end } = await pair('audio');
  const [greeting, voicemail] = [bytes(70_000, 7), bytes(300_000, 9)];
  await here.put({ _id: 'greeting', _attachments: { 'greeting.wav': { content_type: 'audio/wav', data: greeting } } });
  await there.put({ _id: 'voicemail', _attachments: { 'message 1.wav': { content_type: 'audio/wav', data: voicemail.toString('base64') } } });
  await there.putAttachment('voicemail', 'note.txt', (await there.get('voicemail'))._rev, Buffer.from('hello'), 'text/plain');
  await here.sync(there);
  assert.ok(greeting.equals(await there.getAttachment('greeting', 'greeting.wav')));
  assert.ok(voicemail.equals(await here.getAttachment('voicemail', 'message 1.wav')));
  assert.equal((await here.getAttachment('voicemail', 'note.txt')).toString(), 'hello');
  for (const id of ['greeting', 'voicemail']) {
    const [one, other] = [(await here.get(id))._attachments, (await there.get(id))._attachments];
    assert.deepEqual(Object.keys(one).sort(), Object.keys(other).sort());
    for (const file of Object.keys(one)) {
      assert.match(other[file].digest, /^md5-/);
      assert.equal(one[file].digest, other[file].digest);
      assert.equal(one[file].length, other[file].length);
      assert.equal(one[file].content_type, other[file].content_type);
      assert.equal(other[file].stub, true);
    }
  }
  // Only a member changes, the attachments stay as stubs.
  const document = await there.get('voicemail');
  await there.put({ ...document, heard: true });
  seen.length = 0;
  await here.replicate.from(there);
  assert.equal((await here.get('voicemail')).heard, true);
  assert.deepEqual(seen.filter((line) => line.includes('.wav')), []);
  assert.ok(voicemail.equals(await here.getAttachment('voicemail', 'message 1.wav')));
  // And inline on request, as text that decodes to the same bytes.
  const inline = await fetch(`${urlOf(nodeA, name)}/voicemail?attachments=true`, { headers: { accept: 'application/json' } });
  const data = (await inline.json())._attachments['message 1.wav'].data;
  assert.ok(voicemail.equals(Buffer.from(data, 'base64')));
  await there.removeAttachment('voicemail', 'note.txt', (await there.get('voicemail'))._rev);
  await here.sync(there);
  assert.deepEqual(Object.keys((await here.get('voicemail'))._attachments), ['message 1.wav']);
  await end();
});

test('replication filtered by selector and by doc_ids', async () => {
  const { here, there, end } = await pair('filtered');
  await there.bulkDocs(Array.from({ length: 40 }, (_, n) => ({ _id: `call-${n}`, node: n % 4, seconds: n })));
  const bySelector = await here.replicate.from(there, { selector: { node: 1, seconds: { $gt: 10 } } });
  assert.equal(bySelector.ok, true);
  const got = (await here.allDocs()).rows.map(({ id }) => id);
  assert.deepEqual(got.sort(), ['call-13', 'call-17', 'call-21', 'call-25', 'call-29', 'call-33', 'call-37']);
  await here.replicate.from(there, { doc_ids: ['call-0', 'call-2', 'nobody'] });
  assert.equal((await here.info()).doc_count, 9);
  await end();
});

test('a second run starts from the checkpoint of the first', async () => {
  const { here, there, seen, end } = await pair('checkpoint');
  await there.bulkDocs(Array.from({ length: 120 }, (_, n) => ({ _id: `doc-${n}` })));
  const first = await here.replicate.from(there);
  assert.equal(first.docs_written, 120);
  await there.put({ _id: 'one-more' });
  seen.length = 0;
  const second = await here.replicate.from(there);
  assert.equal(second.docs_read, 1);
  const third = await here.replicate.to(there);
  assert.equal(third.docs_written, 0);
  await end();
});

for (const name of ['account/4c/5c/8e-202611', 'with+plus/and/slash', 'a_b$c(d)+e-f/g']) {
  test(`the database name ${name}`, async () => {
    const full = `${name}-${fresh('n')}`;
    const there = remote(nodeA, full);
    const here = local();
    assert.equal((await there.info()).db_name, full);
    await there.put({ _id: 'a/b+c d%é', n: 1, _attachments: { 'dir/file +1.txt': { content_type: 'text/plain', data: Buffer.from('x').toString('base64') } } });
    await here.put({ _id: '_design/plain' });
    await here.sync(there);
    assert.equal((await here.get('a/b+c d%é')).n, 1);
    assert.equal((await here.getAttachment('a/b+c d%é', 'dir/file +1.txt')).toString(), 'x');
    assert.match((await there.get('_design/plain'))._rev, /^1-/);
    await here.destroy();
    await there.destroy();
    await assert.rejects(
      fetch(urlOf(nodeA, full)).then((answer) => (answer.status === 404 ? Promise.reject(new Error('gone')) : answer)),
      /gone/,
    );
  });
}

test('a live feed with documents tells of each change once, in order', async () => {
  const { there, end } = await pair('feed');
  await there.put({ _id: 'before' });
  const got = [];
  const feed = there.changes({ since: 'now', live: true, include_docs: true, heartbeat: 1000 });
  feed.on('change', (change) => got.push([change.id, change.doc.n ?? null, change.deleted ?? false]));
  // The feed starts from a seq it asks for first, so write when it is under way.
  await until('the feed sees a first document', async () => {
    if (got.length === 0) await there.post({ n: 'probe' });
    return got.length > 0;
  });
  await new Promise((done) => setTimeout(done, 200));
  got.length = 0;
  const revs = [];
  for (let n = 0; n < 20; n++) revs.push((await there.put({ _id: `doc-${n}`, n })).rev);
  await there.remove('doc-0', revs[0]);
  await until('21 changes', () => got.filter(([id]) => id.startsWith('doc-')).length >= 21);
  feed.cancel();
  const told = got.filter(([id]) => id.startsWith('doc-'));
  assert.deepEqual(told.slice(0, 20), Array.from({ length: 20 }, (_, n) => [`doc-${n}`, n, false]));
  assert.deepEqual(told[20], ['doc-0', null, true]);
  assert.equal(told.length, 21);
  await end();
});

test('replication goes on after the database was deleted and made anew', async () => {
  const { here, there, name } = await pair('anew');
  await there.put({ _id: 'first', n: 1 });
  await here.replicate.from(there);
  await there.destroy();
  const again = remote(nodeA, name);
  await again.bulkDocs([{ _id: 'second' }, { _id: 'third' }]);
  await here.replicate.from(again);
  const ids = (await here.allDocs()).rows.map(({ id }) => id);
  assert.deepEqual(ids.sort(), ['first', 'second', 'third']);
  await here.destroy();
  await again.destroy();
});
