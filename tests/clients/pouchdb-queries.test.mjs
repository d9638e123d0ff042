// PouchDB's query() and pouchdb-find against a Trunkline server: the same calls, on the same documents, as on a PouchDB in
// memory, wherever both should agree; bookmarks, warnings and the like, which only a server has, by themselves.

import assert from 'node:assert/strict';
import test from 'node:test';
import find from 'pouchdb-find';
import { PouchDB, fresh, local, nodeA, remote } from './support.mjs';

PouchDB.plugin(find);

const kinds = ['call', 'fax', 'sms'];
const calls = Array.from({ length: 60 }, (_, n) => ({
  _id: `c${String(n).padStart(3, '0')}`,
  kind: kinds[n % 3],
  seconds: (n * 7) % 20,
  from: { number: `+1415555${1000 + (n % 11)}` },
  tags: n % 4 ? [`t${n % 5}`] : [],
  ...(n % 6 ? {} : { parent: `c${String((n + 1) % 60).padStart(3, '0')}` }),
}));

const design = {
  _id: '_design/calls',
  views: {
    by_seconds: { map: 'function (doc) { if (doc.kind) emit(doc.seconds, doc.kind); }' },
    by_kind: { map: 'function (doc) { if (doc.kind) emit([doc.kind, doc.seconds], doc.seconds); }', reduce: '_sum' },
    stats: { map: 'function (doc) { if (doc.kind) emit([doc.kind, doc.seconds], doc.seconds); }', reduce: '_stats' },
    counted: {
      map: 'function (doc) { (doc.tags || []).forEach(function (tag) { emit(tag, 1); }); }',
      reduce: 'function (keys, values, again) { return again ? sum(values) : values.length; }',
    },
    linked: { map: 'function (doc) { if (doc.parent) emit(doc._id, { _id: doc.parent }); }' },
    odd: { map: 'function (doc) { if (doc._id === "c007") throw "enough"; emit(doc.none, doc.none); }' },
  },
};

/** The same documents, with the same revisions, in memory and on the server. */
async function both() {
  const here = local();
  const there = remote(nodeA, fresh('queries'));
  await here.bulkDocs([...calls, design]);
  await here.replicate.to(there);
  return { here, there, end: () => Promise.all([here.destroy(), there.destroy()]) };
}

/** What a call answers, or how it fails. */
const outcome = (call) => call.then((answer) => answer, (error) => ({ failed: error.status }));

test('query() answers as a PouchDB in memory does', async () => {
  const { here, there, end } = await both();
  const range = { startkey: 5, endkey: 12 };
  const questions = {
    by_seconds: [
      {},
      { descending: true },
      { key: 7 },
      { keys: [14, 0, 7, 999, 7] },
      range,
      { ...range, inclusive_end: false },
      { startkey: 12, endkey: 5, descending: true },
      { ...range, limit: 4, skip: 3 },
      { limit: 0 },
      { ...range, include_docs: true },
      { key: 7, include_docs: true, conflicts: true },
      { stale: 'ok' },
    ],
    by_kind: [
      {},
      { reduce: false, limit: 5 },
      { group: true },
      { group_level: 1 },
      { group_level: 2, descending: true, limit: 4 },
      { group: true, startkey: ['fax'], endkey: ['fax', {}] },
      { startkey: ['sms', 3], endkey: ['sms', 9] },
      { startkey: ['x'] },
      { group: true, keys: [['sms', 2], ['call', 0], ['none']] },
      { group_level: 1, skip: 1 },
    ],
    stats: [{}, { group_level: 1 }],
    counted: [{}, { group: true }, { key: 't3' }],
    linked: [{ include_docs: true }, { include_docs: true, limit: 2, descending: true }],
    odd: [{ include_docs: false }],
  };
  for (const [view, asked] of Object.entries(questions)) {
    for (const options of asked) {
      const [mine, theirs] = await Promise.all([here, there].map((db) => db.query(`calls/${view}`, options)));
      assert.deepEqual(theirs.rows, mine.rows, `${view} ${JSON.stringify(options)}`);
      if (mine.total_rows !== undefined) assert.equal(theirs.total_rows, mine.total_rows);
    }
  }
  await end();
});

test('query() follows edits, and fails as a PouchDB in memory does', async () => {
  const { here, there, end } = await both();
  const rows = async (options) => {
    await here.replicate.to(there);
    const [mine, theirs] = await Promise.all([here, there].map((db) => db.query('calls/by_kind', options)));
    assert.deepEqual(theirs.rows, mine.rows);
    return mine.rows;
  };
  const before = await rows({});
  await here.put({ ...(await here.get('c003')), seconds: 1000 });
  await here.remove(await here.get('c004'));
  const after = await rows({});
  assert.notDeepEqual(after, before);
  const changed = await here.get('_design/calls');
  changed.views.by_kind.reduce = '_count';
  await here.put(changed);
  assert.deepEqual(await rows({ reduce: true }), [{ key: null, value: 59 }]);
  for (const name of ['none/by_kind', 'calls/none']) {
    const [mine, theirs] = await Promise.all([here, there].map((db) => outcome(db.query(name))));
    assert.deepEqual([theirs, mine], [{ failed: 404 }, { failed: 404 }], name);
  }
  for (const wrong of [{ group: true }, { group_level: 1 }, { keys: 7 }]) {
    const theirs = await outcome(there.query('calls/by_seconds', wrong));
    assert.equal(theirs.failed, 400, JSON.stringify(wrong));
  }
  assert.deepEqual(await there.viewCleanup(), { ok: true });
  await end();
});

test('createIndex(), getIndexes(), explain() and deleteIndex()', async () => {
  const { here, there, end } = await both();
  const index = { index: { fields: ['kind', 'seconds'], name: 'kinds', ddoc: 'kinds' } };
  for (const result of ['created', 'exists']) {
    for (const db of [here, there]) {
      assert.deepEqual(await db.createIndex(index), { result, id: '_design/kinds', name: 'kinds' });
    }
  }
  const listed = async (db) => {
    const { indexes, total_rows } = await db.getIndexes();
    return { total_rows, indexes: indexes.map(({ partitioned, ...rest }) => rest) };
  };
  assert.deepEqual(await listed(there), await listed(here));
  const query = { selector: { kind: 'fax', seconds: { $gt: 3 } } };
  const [mine, theirs] = await Promise.all([here, there].map((db) => db.explain(query)));
  assert.equal(theirs.index.name, 'kinds');
  assert.deepEqual([theirs.index.ddoc, theirs.index.def], [mine.index.ddoc, mine.index.def]);
  for (const db of [here, there]) {
    const found = (await db.getIndexes()).indexes.find(({ name }) => name === 'kinds');
    assert.deepEqual(await db.deleteIndex(found), { ok: true });
  }
  assert.deepEqual(await listed(there), await listed(here));
  await end();
});

test('find() answers as a PouchDB in memory does, with an index and without', async () => {
  const { here, there, end } = await both();
  const questions = [
    { selector: { kind: 'fax' } },
    { selector: { seconds: { $gte: 3, $lt: 9 } }, fields: ['_id', 'seconds', 'from.number'] },
    { selector: { kind: { $in: ['fax', 'sms'] }, seconds: { $gt: 10 } }, limit: 7 },
    { selector: { $or: [{ kind: 'sms' }, { seconds: 0 }] }, skip: 4, limit: 6 },
    { selector: { tags: { $elemMatch: { $eq: 't2' } } }, fields: ['_id'] },
    { selector: { parent: { $exists: true } }, fields: ['parent'] },
    { selector: { 'from.number': { $regex: '1003$' } } },
    { selector: { _id: { $gt: 'c010', $lte: 'c014' } } },
    { selector: { seconds: { $mod: [5, 2] }, kind: { $ne: 'call' } } },
    { selector: { tags: { $size: 0 }, $not: { kind: 'sms' } } },
    { selector: { kind: 'none' } },
  ];
  const sorted = ({ docs }) => docs.map((doc) => JSON.stringify(Object.entries(doc).sort())).sort();
  const compare = async (asked) => {
    for (const query of asked) {
      const [mine, theirs] = await Promise.all([here, there].map((db) => db.find({ limit: 100, ...query })));
      // Without an order that is asked for, which documents a limit leaves is each one's own affair.
      const whole = query.limit === undefined || query.sort;
      if (whole) assert.deepEqual(sorted(theirs), sorted(mine), JSON.stringify(query));
      else assert.equal(theirs.docs.length, mine.docs.length);
      if (query.sort) assert.deepEqual(theirs.docs, mine.docs, JSON.stringify(query));
    }
  };
  await compare(questions);
  for (const [name, fields] of [['seconds', ['seconds']], ['kinds', ['kind', 'seconds']]]) {
    for (const db of [here, there]) await db.createIndex({ index: { fields, name, ddoc: name } });
  }
  await compare(questions);
  // Documents of equal values are in the order of their ids, in the direction of the sort.
  const down = [{ seconds: 'desc' }];
  await compare([
    { selector: { seconds: { $gte: 0 } }, sort: ['seconds'] },
    { selector: { seconds: { $gte: 5 } }, sort: down, limit: 9, skip: 2 },
    { selector: { seconds: { $gte: 5 }, kind: 'sms' }, sort: down, fields: ['_id', 'seconds'] },
    { selector: { kind: 'fax', seconds: { $gt: 4 } }, sort: ['kind', 'seconds'], use_index: 'kinds' },
    { selector: { _id: { $gte: 'c050' } }, sort: [{ _id: 'desc' }], limit: 3 },
  ]);
  const unsorted = { selector: { parent: { $gt: null } }, sort: ['parent'] };
  await assert.rejects(here.find(unsorted));
  await assert.rejects(there.find(unsorted), { status: 400, error: 'no_usable_index' });
  await end();
});

test('find() in pages by bookmark, with warnings and statistics', async () => {
  const { there, end } = await both();
  const unindexed = await there.find({ selector: { kind: 'fax' }, execution_stats: true });
  assert.match(unindexed.warning, /create an index/i);
  assert.equal(unindexed.execution_stats.results_returned, 20);
  await there.createIndex({ index: { fields: ['seconds'], ddoc: 'seconds', name: 'seconds' } });
  const query = { selector: { seconds: { $gte: 0 } }, sort: ['seconds'], limit: 13 };
  const whole = await there.find({ ...query, limit: 100 });
  const pages = [];
  for (let bookmark; ; ) {
    const page = await there.find({ ...query, ...(bookmark && { bookmark }) });
    if (page.docs.length === 0) break;
    assert.equal(page.warning, undefined);
    pages.push(...page.docs);
    bookmark = page.bookmark;
  }
  assert.deepEqual(pages, whole.docs);
  await assert.rejects(there.find({ ...query, bookmark: 'none' }), { status: 400 });
  await assert.rejects(there.find({ selector: { a: { $none: 1 } } }), { status: 400 });
  await end();
});
