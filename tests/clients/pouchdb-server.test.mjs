// PouchDB Server as a peer, in both directions, driven by `trunkline replicate` and by `POST /_replicate`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { bytes, fresh, nodeA, remote, revisions, until, urlOf } from './support.mjs';

const peer = process.env.POUCHDB_SERVER;
const run = promisify(execFile);

const post = async (server, job) => {
  const answer = await fetch(`${server}/_replicate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(job),
  });
  const report = await answer.json();
  assert.ok(answer.ok, JSON.stringify(report));
  return report;
};

const drivers = {
  async 'trunkline replicate'(source, target, { selector, doc_ids = [] } = {}) {
    const filter = selector ? ['--selector', JSON.stringify(selector)] : doc_ids.flatMap((id) => ['--doc-id', id]);
    const args = ['replicate', source, target, '--create-target', '--json', ...filter];
    const { stdout } = await run(process.env.TRUNKLINE_BIN, args);
    return JSON.parse(stdout);
  },
  'POST /_replicate': (source, target, filter) => post(nodeA, { source, target, create_target: true, ...filter }),
  'POST /_replicate of PouchDB Server': (source, target, filter) =>
    post(peer, { source, target, create_target: true, ...filter }),
  async 'a _replicator document'(source, target, filter) {
    const id = fresh('job');
    const url = `${nodeA}/_replicator/${id}`;
    const created = await fetch(`${nodeA}/_replicator`, { method: 'PUT' });
    assert.ok(created.ok || created.status === 412);
    const job = JSON.stringify({ source, target, create_target: true, ...filter });
    assert.equal((await fetch(url, { method: 'PUT', body: job })).status, 201);
    const done = await until('the job is done', async () => {
      const doc = await (await fetch(url)).json();
      assert.notEqual(doc._replication_state, 'failed', doc._replication_state_reason);
      return doc._replication_state === 'completed' && doc;
    }, 60);
    await fetch(`${url}?rev=${done._rev}`, { method: 'DELETE' });
    return { ok: true, ...done._replication_stats };
  },
};

const directions = {
  'from Trunkline to PouchDB Server': [nodeA, peer],
  'from PouchDB Server to Trunkline': [peer, nodeA],
};

for (const [driver, replicate] of Object.entries(drivers)) {
  for (const [direction, [from, to]] of Object.entries(directions)) {
    test(`${driver}, ${direction}`, async (t) => {
      const name = fresh('peer');
      const [source, target] = [remote(from, name), remote(to, name)];
      const [sourceUrl, targetUrl] = [urlOf(from, name), urlOf(to, name)];
      const audio = bytes(150_000, 11);
      await source.info();

      await t.test('documents', async () => {
        await source.bulkDocs(Array.from({ length: 300 }, (_, n) => ({ _id: `doc/${n}+é`, n })));
        const report = await replicate(sourceUrl, targetUrl);
        assert.equal(report.ok, true, JSON.stringify(report));
        assert.equal((await target.info()).doc_count, 300);
        assert.deepEqual(await revisions(target), await revisions(source));
      });

      await t.test('updates and deletes', async () => {
        const docs = (await source.allDocs()).rows.slice(0, 20).map(({ id, value }) => ({ _id: id, _rev: value.rev }));
        await source.bulkDocs(docs.map((doc, n) => (n < 10 ? { ...doc, _deleted: true } : { ...doc, updated: true })));
        await replicate(sourceUrl, targetUrl);
        assert.equal((await target.info()).doc_count, 290);
        assert.deepEqual(await revisions(target), await revisions(source));
      });

      await t.test('conflicts', async () => {
        const edits = ['a', 'b', 'c'].map((letter) => ({
          _id: 'torn',
          _rev: `1-${letter.repeat(32)}`,
          _revisions: { start: 1, ids: [letter.repeat(32)] },
          letter,
        }));
        await source.bulkDocs(edits, { new_edits: false });
        await replicate(sourceUrl, targetUrl);
        const doc = await target.get('torn', { conflicts: true });
        assert.equal(doc.letter, 'c');
        assert.deepEqual(doc._conflicts.sort(), ['a', 'b'].map((letter) => `1-${letter.repeat(32)}`));
        assert.deepEqual(await revisions(target), await revisions(source));
      });

      await t.test('attachments', async () => {
        await source.put({
          _id: 'voicemail',
          _attachments: {
            'message.wav': { content_type: 'audio/wav', data: audio.toString('base64') },
            'note é.txt': { content_type: 'text/plain', data: Buffer.from('hello').toString('base64') },
          },
        });
        await replicate(sourceUrl, targetUrl);
        assert.ok(audio.equals(await target.getAttachment('voicemail', 'message.wav')));
        const [one, other] = [(await source.get('voicemail'))._attachments, (await target.get('voicemail'))._attachments];
        assert.equal(other['message.wav'].digest, one['message.wav'].digest);
        assert.equal(other['message.wav'].length, audio.length);
        assert.equal((await target.getAttachment('voicemail', 'note é.txt')).toString(), 'hello');
        // The document changes, its attachments stay.
        await source.put({ ...(await source.get('voicemail')), heard: true });
        await replicate(sourceUrl, targetUrl);
        assert.equal((await target.get('voicemail')).heard, true);
        assert.ok(audio.equals(await target.getAttachment('voicemail', 'message.wav')));
      });

      await t.test('a run with nothing to do', async () => {
        const report = await replicate(sourceUrl, targetUrl);
        assert.equal(report.ok, true);
        assert.equal(report.no_changes ?? (report.docs_written ?? 0) === 0, true, JSON.stringify(report));
      });

      // PouchDB Server's own replicator takes no notice of filters.
      if (!driver.endsWith('of PouchDB Server')) await t.test('filters', async () => {
        const filtered = remote(to, fresh('filtered'));
        const url = urlOf(to, filtered.name.split('/').pop());
        await source.bulkDocs(Array.from({ length: 20 }, (_, n) => ({ _id: `call-${n}`, node: n % 4 })));
        await replicate(sourceUrl, url, { selector: { node: 1 } });
        const ids = async () => (await filtered.allDocs()).rows.map((row) => row.id);
        assert.deepEqual(await ids(), ['call-1', 'call-13', 'call-17', 'call-5', 'call-9']);
        await replicate(sourceUrl, url, { doc_ids: ['call-2', 'torn', 'nobody'] });
        assert.deepEqual(await ids(), ['call-1', 'call-13', 'call-17', 'call-2', 'call-5', 'call-9', 'torn']);
        assert.equal((await filtered.get('torn', { conflicts: true }))._conflicts.length, 2);
        await filtered.destroy();
      });

      await source.destroy();
      await target.destroy();
    });
  }
}

test('a continuous replication each way at once', async () => {
  const name = fresh('both');
  const [here, there] = [remote(nodeA, name), remote(peer, name)];
  await here.info();
  await there.info();
  const jobs = [
    { source: urlOf(nodeA, name), target: urlOf(peer, name), continuous: true },
    { source: urlOf(peer, name), target: urlOf(nodeA, name), continuous: true },
  ];
  for (const job of jobs) await post(nodeA, job);
  await here.put({ _id: 'mine', n: 1 });
  await there.put({ _id: 'theirs', n: 1 });
  await until('both have both', async () => (await here.get('theirs')) && (await there.get('mine')), 30);
  await there.put({ ...(await there.get('mine')), n: 2 });
  await until('the update came back', async () => (await here.get('mine')).n === 2, 30);
  assert.deepEqual(await revisions(here), await revisions(there));
  for (const job of jobs) await post(nodeA, { ...job, cancel: true });
  await here.destroy();
  await there.destroy();
});

/** Answers the status, and the body as JSON. */
const ask = async (method, url, body, headers = {}) => {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return [answer.status, await answer.json()];
};

test('users move both ways', async (t) => {
  const logIn = (server, name, password) => ask('POST', `${server}/_session`, { name, password });
  const move = async (from, to) => {
    const name = fresh('anna');
    const path = `/_users/org.couchdb.user:${name}`;
    const user = { type: 'user', name, roles: ['r'], password: 'pass word' };
    assert.equal((await ask('PUT', `${from}${path}`, user))[0], 201);
    const [, { _rev, ...doc }] = await ask('GET', `${from}${path}`);
    assert.equal(doc.password, undefined);
    assert.equal((await ask('PUT', `${to}${path}`, doc))[0], 201);
    for (const server of [from, to]) {
      const [status, session] = await logIn(server, name, 'pass word');
      assert.deepEqual([status, session.name, session.roles], [200, name, ['r']]);
      assert.equal((await logIn(server, name, 'password'))[0], 401);
    }
  };
  await t.test('from PouchDB Server to Trunkline', () => move(peer, nodeA));
  // It knows no other hash than SHA-1.
  const prf = `${nodeA}/_node/_local/_config/passwords/prf`;
  const [status, before] = await ask('PUT', prf, 'sha');
  assert.equal(status, 200);
  await t.test('from Trunkline to PouchDB Server', () => move(nodeA, peer));
  await ask('PUT', prf, before);
});
