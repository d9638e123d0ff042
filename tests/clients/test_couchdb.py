"""couchdb-python, the client that most Python programs still use, against two Trunkline nodes."""

import io
import os
import time
import unittest

import couchdb

NODE_A = os.environ["TRUNKLINE_A"]
NODE_B = os.environ["TRUNKLINE_B"]


def until(what, probe, seconds=15):
    """Waits until probe() answers something true, and answers that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.025)
    raise AssertionError(f"not within {seconds} s: {what}")


class CouchdbPython(unittest.TestCase):
    made = 0

    def setUp(self):
        self.server = couchdb.Server(NODE_A)
        CouchdbPython.made += 1
        self.name = f"python-{os.getpid()}-{CouchdbPython.made}/plus+"
        self.db = self.server.create(self.name)

    def tearDown(self):
        if self.name in self.server:
            self.server.delete(self.name)

    def test_server(self):
        self.assertTrue(self.server)
        self.assertRegex(self.server.version(), r"^3\.")
        self.assertEqual(self.server.version_info()[0], 3)
        self.assertIn(self.name, self.server)
        self.assertIn(self.name, list(self.server))
        self.assertNotIn("nobody", self.server)
        self.assertEqual(len(self.server.uuids(3)), 3)
        self.assertIsInstance(self.server.tasks(), list)
        with self.assertRaises(couchdb.PreconditionFailed):
            self.server.create(self.name)
        with self.assertRaises(couchdb.ResourceNotFound):
            self.server["nobody"]
        self.server.delete(self.name)
        self.assertNotIn(self.name, self.server)

    def test_documents_as_a_mapping(self):
        self.db["call-1"] = {"seconds": 42, "caller": "Žofie"}
        doc = self.db["call-1"]
        self.assertEqual((doc.id, doc["seconds"], doc["caller"]), ("call-1", 42, "Žofie"))
        doc["seconds"] = 43
        self.db[doc.id] = doc
        self.assertTrue(self.db["call-1"].rev.startswith("2-"))
        self.assertIn("call-1", self.db)
        self.assertNotIn("call-2", self.db)
        self.assertEqual(len(self.db), 1)
        self.assertEqual(list(self.db), ["call-1"])
        with self.assertRaises(couchdb.ResourceConflict):
            self.db["call-1"] = {"seconds": 1}
        del self.db["call-1"]
        with self.assertRaises(couchdb.ResourceNotFound):
            self.db["call-1"]

    def test_save_get_delete(self):
        doc_id, rev = self.db.save({"type": "cdr"})
        self.assertTrue(rev.startswith("1-"))
        doc = self.db.get(doc_id, revs=True)
        self.assertEqual(doc["_revisions"]["start"], 1)
        doc["type"] = "status"
        self.db.save(doc)
        revisions = [revision.rev for revision in self.db.revisions(doc_id)]
        self.assertEqual(revisions[0], self.db[doc_id].rev)
        self.assertIsNone(self.db.get("nobody"))
        self.db.delete(self.db[doc_id])
        self.assertNotIn(doc_id, self.db)
        self.db.save({"_id": "quick"}, batch="ok")
        until("the batched document is there", lambda: "quick" in self.db)

    def test_bulk_update(self):
        docs = [couchdb.Document(_id=f"doc-{n:03}", n=n) for n in range(50)]
        self.assertTrue(all(success for success, _, _ in self.db.update(docs)))
        self.assertTrue(docs[0].rev.startswith("1-"))
        docs[3]["n"] = 300
        stale = dict(docs[4], _rev="1-00000000000000000000000000000000")
        results = self.db.update([docs[3], stale])
        self.assertTrue(results[0][0])
        self.assertFalse(results[1][0])
        self.assertIsInstance(results[1][2], couchdb.ResourceConflict)
        self.assertEqual(self.db["doc-003"]["n"], 300)
        gone = self.db.purge([self.db["doc-049"]])
        self.assertIn("doc-049", gone["purged"])
        self.assertEqual(len(self.db), 49)

    def test_view_of_all_docs(self):
        self.db.update([{"_id": f"doc-{n:03}", "n": n} for n in range(50)])
        view = self.db.view("_all_docs", include_docs=True, startkey="doc-010", endkey="doc-012")
        self.assertEqual([row.doc["n"] for row in view], [10, 11, 12])
        self.assertEqual(view.total_rows, 50)
        self.assertEqual(view.offset, 10)
        view = self.db.view("_all_docs", keys=["doc-005", "doc-001"])
        self.assertEqual([row.id for row in view], ["doc-005", "doc-001"])
        ranged = self.db.view("_all_docs", descending=True)["doc-003":"doc-001"]
        self.assertEqual([row.id for row in ranged], ["doc-003", "doc-002", "doc-001"])
        pages = [row.id for row in self.db.iterview("_all_docs", 7)]
        self.assertEqual(pages, [f"doc-{n:03}" for n in range(50)])

    def test_changes(self):
        self.db.update([{"_id": f"doc-{n}"} for n in range(5)])
        changes = self.db.changes(since=0, include_docs=True)
        self.assertEqual([row["doc"]["_id"] for row in changes["results"]], [f"doc-{n}" for n in range(5)])
        after = self.db.changes(since=changes["last_seq"])
        self.assertEqual(after["results"], [])
        self.db["later"] = {}
        feed = self.db.changes(feed="continuous", since=changes["last_seq"], timeout=500)
        rows = list(feed)
        self.assertEqual(rows[0]["id"], "later")
        self.assertIn("last_seq", rows[-1])
        longpoll = self.db.changes(feed="longpoll", since=changes["last_seq"])
        self.assertEqual([row["id"] for row in longpoll["results"]], ["later"])

    def test_attachments(self):
        self.db["voicemail"] = {"from": "1001"}
        doc = self.db["voicemail"]
        audio = bytes(range(256)) * 400
        self.db.put_attachment(doc, io.BytesIO(audio), "message 1.wav", "audio/wav")
        self.assertEqual(self.db.get_attachment("voicemail", "message 1.wav").read(), audio)
        stored = self.db["voicemail"]["_attachments"]["message 1.wav"]
        self.assertEqual((stored["length"], stored["content_type"], stored["stub"]), (len(audio), "audio/wav", True))
        self.db.delete_attachment(self.db["voicemail"], "message 1.wav")
        self.assertIsNone(self.db.get_attachment("voicemail", "message 1.wav"))

    def test_copy(self):
        self.db["from"] = {"n": 1}
        rev = self.db.copy("from", "to")
        self.assertTrue(rev.startswith("1-"))
        self.assertEqual(self.db["to"]["n"], 1)
        source = self.db["from"]
        source["n"] = 2
        self.db.save(source)
        self.db.copy("from", self.db["to"])
        self.assertEqual(self.db["to"]["n"], 2)

    def test_maintenance(self):
        self.assertTrue(self.db.commit()["ok"])
        self.assertTrue(self.db.compact())
        security = {"admins": {"names": [], "roles": []}, "members": {"names": ["x"], "roles": []}}
        self.db.security = security
        self.assertEqual(self.db.security["members"]["names"], ["x"])
        self.assertEqual(self.db.info()["db_name"], self.name)

    def test_replicate(self):
        self.db.update([{"_id": f"doc-{n}", "n": n} for n in range(30)])
        other = couchdb.Server(NODE_B)
        quoted = self.name.replace("/", "%2F").replace("+", "%2B")
        report = self.server.replicate(f"{NODE_A}/{quoted}", f"{NODE_B}/{quoted}", create_target=True)
        self.assertTrue(report["ok"])
        self.assertEqual(len(other[self.name]), 30)
        self.assertEqual(other[self.name]["doc-7"].rev, self.db["doc-7"].rev)
        other.delete(self.name)


if __name__ == "__main__":
    unittest.main()
