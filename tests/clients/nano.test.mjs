// nano, the client that most node programs use for CouchDB.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bytes, fresh, nodeA, nodeB, server, until, urlOf } from './support.mjs';

const couch = server(nodeA);

async function database(stem) {
  const name = fresh(stem);
  await couch.db.create(name);
  return { name, db: couch.use(name) };
}

test('the server and its databases', async () => {
  const welcome = await couch.info();
  assert.equal(welcome.couchdb, 'Welcome');
  assert.match(welcome.uuid, /^[0-9a-f]{32}$/);
  const name = `${fresh('account')}/ab+cd`;
  assert.deepEqual(await couch.db.create(name), { ok: true });
  await assert.rejects(couch.db.create(name), { statusCode: 412, error: 'file_exists' });
  await assert.rejects(couch.db.create('Capital'), { statusCode: 400, error: 'illegal_database_name' });
  assert.ok((await couch.db.list()).includes(name));
  const info = await couch.db.get(name);
  assert.equal(info.db_name, name);
  assert.equal(info.doc_count, 0);
  assert.equal(typeof info.instance_start_time, 'string');
  assert.deepEqual(await couch.db.destroy(name), { ok: true });
  await assert.rejects(couch.db.get(name), { statusCode: 404, error: 'not_found', reason: 'Database does not exist.' });
  assert.equal((await couch.db.list()).includes(name), false);
});

test('uuids', async () => {
  const { uuids } = await couch.uuids(5);
  assert.equal(new Set(uuids).size, 5);
  assert.ok(uuids.every((uuid) => /^[0-9a-f]{32}$/.test(uuid)));
});

test('insert, get, head, update, destroy', async () => {
  const { name, db } = await database('plain');
  const first = await db.insert({ seconds: 42 }, 'call-1');
  assert.equal(first.id, 'call-1');
  const head = await db.head('call-1');
  assert.equal(head.etag, `"${first.rev}"`);
  assert.deepEqual(await db.get('call-1'), { _id: 'call-1', _rev: first.rev, seconds: 42 });
  assert.deepEqual(Object.keys(await db.get('call-1', { revs_info: true, local_seq: true })).sort(), [
    '_id',
    '_local_seq',
    '_rev',
    '_revs_info',
    'seconds',
  ]);
  await assert.rejects(db.insert({ seconds: 1 }, 'call-1'), { statusCode: 409, reason: 'Document update conflict.' });
  const second = await db.insert({ _rev: first.rev, seconds: 43 }, 'call-1');
  const generated = await db.insert({ generated: true });
  assert.ok(generated.id.length >= 16);
  await db.destroy('call-1', second.rev);
  await assert.rejects(db.get('call-1'), { statusCode: 404, reason: 'deleted' });
  await assert.rejects(db.get('never'), { statusCode: 404, reason: 'missing' });
  await couch.db.destroy(name);
});

test('bulk, fetch with keys, list with ranges', async () => {
  const { name, db } = await database('bulk');
  const docs = Array.from({ length: 100 }, (_, n) => ({ _id: `doc-${String(n).padStart(3, '0')}`, n }));
  const made = await db.bulk({ docs });
  assert.equal(made.length, 100);
  assert.ok(made.every(({ ok, rev }) => ok && rev.startsWith('1-')));
  const again = await db.bulk({ docs: docs.slice(0, 2) });
  assert.deepEqual(again.map(({ id, error, reason }) => ({ id, error, reason })), [
    { id: 'doc-000', error: 'conflict', reason: 'Document update conflict.' },
    { id: 'doc-001', error: 'conflict', reason: 'Document update conflict.' },
  ]);
  const fetched = await db.fetch({ keys: ['doc-007', 'none', 'doc-003'] });
  assert.deepEqual(fetched.rows.map((row) => row.doc?.n ?? row.error), [7, 'not_found', 3]);
  const revs = await db.fetchRevs({ keys: ['doc-007'] });
  assert.equal(revs.rows[0].value.rev, made[7].rev);
  const list = await db.list({ startkey: 'doc-010', endkey: 'doc-014', inclusive_end: false, skip: 1, include_docs: true });
  assert.equal(list.total_rows, 100);
  assert.equal(list.offset, 11);
  assert.deepEqual(list.rows.map(({ doc }) => doc.n), [11, 12, 13]);
  const down = await db.list({ descending: true, limit: 3 });
  assert.deepEqual(down.rows.map(({ id }) => id), ['doc-099', 'doc-098', 'doc-097']);
  const one = await db.list({ key: 'doc-050' });
  assert.equal(one.rows.length, 1);
  await db.bulk({ docs: made.slice(0, 10).map(({ id, rev }) => ({ _id: id, _rev: rev, _deleted: true })) });
  const info = await db.info();
  assert.equal(info.doc_count, 90);
  assert.equal(info.doc_del_count, 10);
  await couch.db.destroy(name);
});

test('changes, once and followed', async () => {
  const { name, db } = await database('changes');
  await db.bulk({ docs: [{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }] });
  const page = await db.changes({ limit: 2 });
  assert.deepEqual(page.results.map(({ id }) => id), ['a', 'b']);
  assert.equal(page.pending, 1);
  const rest = await db.changes({ since: page.last_seq, include_docs: true });
  assert.deepEqual(rest.results.map(({ doc }) => doc._id), ['c']);
  const down = await db.changes({ descending: true, limit: 1 });
  assert.equal(down.results[0].id, 'c');

  const followed = [];
  // A reader serves once, so each use gets one of its own.
  const following = couch.use(name).changesReader;
  const reader = following.start({ since: rest.last_seq, batchSize: 10, timeout: 2000 });
  reader.on('change', (change) => followed.push(change.id));
  reader.on('error', (error) => followed.push(error));
  for (let n = 0; n < 25; n++) await db.insert({ n }, `later-${n}`);
  await until('the reader sees all', () => followed.length === 25);
  following.stop();
  assert.deepEqual(followed, Array.from({ length: 25 }, (_, n) => `later-${n}`));

  const got = [];
  await new Promise((resolve, reject) => {
    couch
      .use(name)
      .changesReader.get({ since: '0', batchSize: 10, includeDocs: true, timeout: 500 })
      .on('change', (change) => got.push(change.doc._id))
      .on('end', resolve)
      .on('error', reject);
  });
  assert.equal(got.length, 28);

  const spooled = [];
  await new Promise((resolve, reject) => {
    couch
      .use(name)
      .changesReader.spool({ since: '0', includeDocs: true })
      .on('batch', (batch) => spooled.push(...batch))
      .on('end', resolve)
      .on('error', reject);
  });
  assert.equal(spooled.length, 28);
  await couch.db.destroy(name);
});

test('a selector on the changes', async () => {
  const { name, db } = await database('selected');
  await db.bulk({ docs: Array.from({ length: 30 }, (_, n) => ({ _id: `doc-${n}`, n, kind: n % 3 ? 'cdr' : 'status' })) });
  const seen = [];
  const reader = db.changesReader.get({ since: '0', selector: { kind: 'status', n: { $gte: 15 } }, timeout: 500 });
  await new Promise((resolve, reject) => {
    reader.on('change', ({ id }) => seen.push(id)).on('end', resolve).on('error', reject);
  });
  assert.deepEqual(seen, ['doc-15', 'doc-18', 'doc-21', 'doc-24', 'doc-27']);
  await couch.db.destroy(name);
});

test('attachments: insert, get, stream, range, multipart, destroy', async () => {
  const { name, db } = await database('attachments');
  const audio = bytes(200_000, 3);
  const first = await db.attachment.insert('voicemail', 'message.wav', audio, 'audio/wav');
  assert.ok(audio.equals(await db.attachment.get('voicemail', 'message.wav')));
  const url = `${urlOf(nodeA, name)}/voicemail/message.wav`;
  const part = await fetch(url, { headers: { range: 'bytes=1000-1999' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 1000-1999/200000');
  assert.ok(audio.subarray(1000, 2000).equals(Buffer.from(await part.arrayBuffer())));
  const chunks = [];
  for await (const chunk of db.attachment.getAsStream('voicemail', 'message.wav')) chunks.push(chunk);
  assert.ok(audio.equals(Buffer.concat(chunks)));
  const second = await db.attachment.destroy('voicemail', 'message.wav', { rev: first.rev });
  assert.equal((await db.get('voicemail'))._attachments, undefined);
  assert.match(second.rev, /^2-/);

  const files = [
    { name: 'a.bin', data: bytes(5000, 5), content_type: 'application/octet-stream' },
    { name: 'b.txt', data: Buffer.from('second part'), content_type: 'text/plain' },
  ];
  await db.multipart.insert({ kind: 'mixed' }, files, 'both');
  assert.ok(files[0].data.equals(await db.attachment.get('both', 'a.bin')));
  assert.equal((await db.attachment.get('both', 'b.txt')).toString(), 'second part');
  const whole = await db.multipart.get('both');
  assert.ok(whole.includes(files[0].data));
  assert.ok(whole.includes('second part'));
  await couch.db.destroy(name);
});

test('copy', async () => {
  const { name, db } = await database('copy');
  const first = await db.insert({ n: 1 }, 'from');
  const copied = await fetch(`${urlOf(nodeA, name)}/from`, { method: 'COPY', headers: { destination: 'to' } });
  assert.equal(copied.status, 201);
  assert.equal((await copied.json()).id, 'to');
  assert.equal((await db.get('to')).n, 1);
  const target = await db.insert({ n: 0 }, 'over');
  await db.insert({ _rev: first.rev, n: 2 }, 'from');
  await assert.rejects(db.destroy('over', first.rev), { statusCode: 409 });
  const over = await fetch(`${urlOf(nodeA, name)}/from`, { method: 'COPY', headers: { destination: `over?rev=${target.rev}` } });
  assert.equal(over.status, 201);
  assert.equal((await db.get('over')).n, 2);
  await couch.db.destroy(name);
});

test('partitions', async () => {
  const name = fresh('partitioned');
  await couch.db.create(name, { partitioned: true });
  const db = couch.use(name);
  assert.deepEqual((await db.info()).props, { partitioned: true });
  await assert.rejects(db.insert({}, 'plain'), { statusCode: 400, error: 'illegal_docid' });
  const docs = ['acme', 'acme 2', 'b/eta'].flatMap((account) => [1, 2, 3].map((n) => ({ _id: `${account}:${n}`, n })));
  assert.ok((await db.bulk({ docs })).every(({ ok }) => ok));
  const map = 'function (doc) { emit(doc.n, 1); }';
  await db.insert({ views: { by_n: { map, reduce: '_count' } } }, '_design/d');
  for (const account of ['acme', 'acme 2', 'b/eta', 'none']) {
    const ids = docs.map(({ _id }) => _id).filter((id) => id.startsWith(`${account}:`));
    const info = await db.partitionInfo(account);
    assert.deepEqual([info.partition, info.doc_count, info.doc_del_count], [account, ids.length, 0]);
    const of = ({ rows }) => rows.map(({ id }) => id);
    assert.deepEqual(of(await db.partitionedList(account, { include_docs: true })), ids);
    assert.deepEqual(of(await db.partitionedView(account, 'd', 'by_n', { reduce: false })), ids);
    const counted = (await db.partitionedView(account, 'd', 'by_n', { startkey: 2 })).rows;
    assert.deepEqual(counted, ids.length ? [{ key: null, value: 2 }] : []);
    const found = await db.partitionedFind(account, { selector: { n: { $lt: 3 } } });
    assert.deepEqual(found.docs.map(({ _id }) => _id), ids.slice(0, 2));
  }
  await assert.rejects(db.view('d', 'by_n'), { statusCode: 400, error: 'query_parse_error' });
  await couch.db.destroy(name);
});

test('replicate, once and continuously, to another node', async () => {
  const { name, db } = await database('replicated');
  await db.bulk({ docs: Array.from({ length: 50 }, (_, n) => ({ _id: `doc-${n}`, n })) });
  const target = urlOf(nodeB, name);
  const once = await couch.db.replicate(urlOf(nodeA, name), target, { create_target: true });
  assert.equal(once.ok, true);
  assert.equal(once.history[0].docs_written, 50);
  const there = server(nodeB).use(name);
  assert.equal((await there.info()).doc_count, 50);
  const nothing = await couch.db.replicate(urlOf(nodeA, name), target);
  assert.equal(nothing.ok, true);

  const job = { source: urlOf(nodeA, name), target, continuous: true };
  const started = await couch.request({ method: 'post', path: '_replicate', body: job });
  assert.equal(started.ok, true);
  await db.insert({ late: true }, 'late');
  await until('the late document is there', () => there.get('late'));
  const tasks = await couch.request({ path: '_active_tasks' });
  assert.ok(tasks.some(({ type, continuous }) => type === 'replication' && continuous === true));
  const ended = await couch.request({ method: 'post', path: '_replicate', body: { ...job, cancel: true } });
  assert.equal(ended.ok, true);
  await db.insert({ late: true }, 'too-late');
  await new Promise((done) => setTimeout(done, 300));
  await assert.rejects(there.get('too-late'), { statusCode: 404 });
  await couch.db.destroy(name);
  await server(nodeB).db.destroy(name);
});
