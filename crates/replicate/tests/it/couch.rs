//! A small CouchDB: answers what its replicator's peers are asked, to the letter, from memory.

use crate::scripted::{Answer, Request, answer, serve_requests};
use md5::Digest;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trunkline_replicate::{HttpOptions, HttpPeer, Peer};
use trunkline_wire::attachments::digest;

/// A database; cloning it is a backup.
#[derive(Clone, Default)]
pub(crate) struct Couch {
    pub(crate) docs: BTreeMap<String, Doc>,
    pub(crate) locals: BTreeMap<String, Value>,
    pub(crate) seq: u64,
    /// Nobody may write local documents, or commit.
    pub(crate) read_only: bool,
    /// No seq is known any more.
    pub(crate) forgets_seqs: bool,
    /// Answers that are 503 before the next good one.
    pub(crate) failing: u32,
    /// Documents that break each answer they are in: its head, and what is no JSON. A 403 is for them alone.
    pub(crate) broken: BTreeMap<String, &'static str>,
    /// Requests that are 401.
    pub(crate) denies: Option<fn(&Request) -> bool>,
    /// `vendor.name`.
    pub(crate) vendor: &'static str,
    /// What it says it can do; of `_exchange` it knows nothing.
    pub(crate) features: &'static [&'static str],
    /// Paths asked for, in order.
    pub(crate) asked: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Doc {
    seq: u64,
    known: BTreeSet<String>,
    pub(crate) leaves: BTreeMap<String, Leaf>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    /// Everything but `_attachments`.
    pub(crate) json: Value,
    pub(crate) attachments: BTreeMap<String, Stored>,
}

/// An attachment: its entry without `stub`, `follows` or `data`, and the bytes as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) entry: Map<String, Value>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) type Shared = Arc<Mutex<Couch>>;

pub(crate) async fn start() -> (Shared, Arc<dyn Peer>) {
    let couch = Shared::default();
    let server = Arc::clone(&couch);
    let url = serve_requests(move |request| server.lock().answer(request)).await;
    (
        couch,
        Arc::new(HttpPeer::new(&url, HttpOptions::default()).unwrap()),
    )
}

impl Stored {
    pub(crate) fn gzip(text: &[u8], revpos: u64) -> Stored {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(8));
        std::io::Write::write_all(&mut encoder, text).unwrap();
        let bytes = encoder.finish().unwrap();
        let entry = json!({"content_type": "text/plain", "revpos": revpos, "length": text.len(),
            "digest": digest(&md5::Md5::digest(&bytes).into()), "encoding": "gzip", "encoded_length": bytes.len()});
        Stored {
            entry: entry.as_object().unwrap().clone(),
            bytes,
        }
    }
}

fn refusal(status: &str, error: &str, reason: &str) -> Answer {
    answer(status, json!({"error": error, "reason": reason}).to_string())
}

fn ok(body: &Value) -> Answer {
    answer(
        "200 OK\r\nContent-Type: application/json",
        body.to_string() + "\n",
    )
}

fn query(path: &str, name: &str) -> Option<String> {
    let pair = path.split_once('?')?.1.split('&');
    let value = pair
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?;
    Some(
        percent_encoding::percent_decode_str(value.1)
            .decode_utf8()
            .unwrap()
            .into_owned(),
    )
}

fn generation(rev: &str) -> u64 {
    rev.split('-').next().unwrap().parse().unwrap()
}

fn revs_of(json: &Value) -> Vec<String> {
    let Some(revisions) = json.get("_revisions") else {
        return vec![json["_rev"].as_str().unwrap().to_owned()];
    };
    let start = revisions["start"].as_u64().unwrap();
    let ids = revisions["ids"].as_array().unwrap().iter().zip(0..);
    ids.map(|(id, at)| format!("{}-{}", start - at, id.as_str().unwrap()))
        .collect()
}

impl Couch {
    fn seq(number: u64) -> String {
        format!(
            "{number}-g1AAAAOp{:x}",
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    }

    /// Writes a revision made elsewhere.
    pub(crate) fn put(
        &mut self,
        mut json: Value,
        mut attachments: BTreeMap<String, Stored>,
    ) -> Result<(), Answer> {
        let entries = json.as_object_mut().unwrap().remove("_attachments");
        let revs = revs_of(&json);
        let doc = self
            .docs
            .entry(json["_id"].as_str().unwrap().to_owned())
            .or_default();
        for (name, entry) in entries.iter().flat_map(|entries| entries.as_object().unwrap()) {
            if entry["stub"] == json!(true) {
                let parent = revs.iter().find_map(|rev| doc.leaves.get(rev));
                let Some(stored) = parent.and_then(|parent| parent.attachments.get(name)) else {
                    return Err(refusal("412 No", "missing_stub", "Invalid attachment stub"));
                };
                attachments.insert(name.clone(), stored.clone());
            }
        }
        if doc.known.contains(&revs[0]) {
            return Ok(());
        }
        for rev in &revs {
            doc.leaves.remove(rev);
        }
        doc.known.extend(revs.iter().cloned());
        doc.leaves.insert(revs[0].clone(), Leaf { json, attachments });
        self.seq += 1;
        doc.seq = self.seq;
        Ok(())
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path.as_str();
        self.asked.push(path.to_owned());
        if self.failing > 0 {
            self.failing -= 1;
            return refusal("503 No", "service_unavailable", "starting");
        }
        if self.denies.is_some_and(|denies| denies(request)) {
            return refusal("401 No", "unauthorized", "Name or password is incorrect.");
        }
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap();
        let below = path.strip_prefix("/db/").unwrap_or_default();
        let resource = below.split('?').next().unwrap();
        let committed = || assert!(request.headers.contains("x-couch-full-commit: true"), "{path}");
        match (request.method.as_str(), resource) {
            ("GET", "") if path == "/" => ok(
                &json!({"couchdb": "Welcome", "version": "3.5.0", "uuid": format!("{:p}", self),
                    "vendor": {"name": self.vendor}, "features": self.features}),
            ),
            ("GET", "") => {
                ok(&json!({"update_seq": Couch::seq(self.seq), "instance_start_time": "1700000000"}))
            }
            ("POST", "_ensure_full_commit") if self.read_only => refusal("403 No", "forbidden", "read only"),
            ("POST", "_ensure_full_commit") => answer(
                "201 Created",
                "{\"ok\":true,\"instance_start_time\":\"1700000000\"}",
            ),
            ("GET", _) if resource.starts_with("_local/") => match self.locals.get(resource) {
                Some(local) => ok(local),
                None => refusal("404 No", "not_found", "missing"),
            },
            ("PUT", _) if resource.starts_with("_local/") && self.read_only => {
                refusal("403 No", "forbidden", "read only")
            }
            ("PUT", _) if resource.starts_with("_local/") => self.put_local(resource, body()),
            (_, "_changes") => self.changes(path),
            ("POST", "_revs_diff") => self.revs_diff(&body()),
            ("POST", "_bulk_get") => self.bulk_get(&body()),
            ("POST", "_bulk_docs") => {
                committed();
                let body = body();
                assert_eq!(body["new_edits"], json!(false));
                for doc in body["docs"].as_array().unwrap() {
                    self.put(doc.clone(), BTreeMap::new()).map_err(|_| ()).unwrap();
                }
                answer("201 Created", "[]")
            }
            ("GET", _) => self.open_revs(resource, path),
            ("PUT", _) => {
                committed();
                self.put_related(request)
            }
            (_, resource) if resource.starts_with("_exchange/") => refusal("404 No", "not_found", "missing"),
            ("PRI", _) => refusal("400 No", "bad_request", "HTTP/1.1 is spoken here"),
            other => panic!("{other:?}"),
        }
    }

    fn put_local(&mut self, resource: &str, mut local: Value) -> Answer {
        let given = local["_rev"]
            .as_str()
            .map_or(0, |rev| rev[2..].parse::<u64>().unwrap());
        let rev = format!("0-{}", given + 1);
        local["_rev"] = json!(rev);
        self.locals.insert(resource.to_owned(), local);
        answer(
            "201 Created",
            json!({"ok": true, "id": resource, "rev": rev}).to_string(),
        )
    }

    fn changes(&self, path: &str) -> Answer {
        let pending = if query(path, "limit").is_some() {
            self.docs.len()
        } else {
            0
        };
        let since = match query(path, "since").as_deref() {
            None | Some("0") => 0,
            Some(_) if self.forgets_seqs => return refusal("409 No", "stale_seq", "of another incarnation"),
            Some(text) => (0..=self.seq)
                .find(|seq| Couch::seq(*seq) == text)
                .expect("a seq of ours"),
        };
        let mut docs: Vec<_> = self.docs.iter().filter(|(_, doc)| doc.seq > since).collect();
        docs.sort_by_key(|(_, doc)| doc.seq);
        let rows = docs.iter().map(|(id, doc)| {
            let revs: Vec<Value> = doc.leaves.keys().rev().map(|rev| json!({"rev": rev})).collect();
            let mut row = json!({"seq": Couch::seq(doc.seq), "id": id, "changes": revs});
            if doc
                .leaves
                .values()
                .all(|leaf| leaf.json["_deleted"] == json!(true))
            {
                row["deleted"] = json!(true);
            }
            row.to_string()
        });
        let rows: Vec<String> = rows.collect();
        let end = format!(
            "\n],\n\"last_seq\":\"{}\",\"pending\":{pending}}}\n",
            Couch::seq(self.seq)
        );
        answer("200 OK", format!("{{\"results\":[\n{}{end}", rows.join(",\n")))
    }

    fn revs_diff(&self, asked: &Value) -> Answer {
        let mut missing = Map::new();
        for (id, revs) in asked.as_object().unwrap() {
            let doc = self.docs.get(id).cloned().unwrap_or_default();
            let revs: Vec<&str> = revs
                .as_array()
                .unwrap()
                .iter()
                .map(|rev| rev.as_str().unwrap())
                .collect();
            let lacks: Vec<&str> = revs.into_iter().filter(|rev| !doc.known.contains(*rev)).collect();
            if let Some(highest) = lacks.iter().map(|rev| generation(rev)).max() {
                let older: Vec<&String> = doc
                    .leaves
                    .keys()
                    .filter(|rev| generation(rev) < highest)
                    .collect();
                let mut row = json!({"missing": lacks});
                if !older.is_empty() {
                    row["possible_ancestors"] = json!(older);
                }
                missing.insert(id.clone(), row);
            }
        }
        ok(&Value::Object(missing))
    }

    /// A document's JSON with its attachments in the form that `form` gives an entry.
    fn shown(leaf: &Leaf, form: impl Fn(&Stored) -> &'static str) -> Value {
        let mut json = leaf.json.clone();
        for (name, stored) in &leaf.attachments {
            let form = form(stored);
            json["_attachments"][name] = Value::Object(stored.entry.clone());
            json["_attachments"][name][form] = json!(true);
        }
        json
    }

    fn bulk_get(&self, asked: &Value) -> Answer {
        let asked_for = |id: &str| {
            asked["docs"]
                .as_array()
                .unwrap()
                .iter()
                .any(|ask| ask["id"] == id)
        };
        let broken = self
            .broken
            .iter()
            .find(|(id, head)| asked_for(id) && !head.starts_with("403"));
        if let Some((_, head)) = broken {
            return answer(*head, "oops");
        }
        let row = |ask: &Value| {
            let (id, rev) = (&ask["id"], ask["rev"].as_str().unwrap());
            if self.broken.contains_key(id.as_str().unwrap()) {
                return json!({"id": id, "docs": [{"error": {"id": id, "rev": rev, "error": "forbidden", "reason": "not yours"}}]});
            }
            let leaf = self
                .docs
                .get(id.as_str().unwrap())
                .and_then(|doc| doc.leaves.get(rev));
            let doc = match leaf {
                Some(leaf) => json!({"ok": Couch::shown(leaf, |_| "stub")}),
                None => json!({"error": {"id": id, "rev": rev, "error": "not_found", "reason": "missing"}}),
            };
            json!({"id": id, "docs": [doc]})
        };
        let rows: Vec<Value> = asked["docs"].as_array().unwrap().iter().map(row).collect();
        ok(&json!({"results": rows}))
    }

    fn open_revs(&self, id: &str, path: &str) -> Answer {
        if let Some(head) = self.broken.get(id) {
            return answer(*head, "oops");
        }
        let list = |name: &str| {
            let text = query(path, name).unwrap_or_else(|| "[]".to_owned());
            serde_json::from_str::<Vec<String>>(&text).unwrap()
        };
        let since = list("atts_since");
        let mut out = b"--O".to_vec();
        for rev in list("open_revs") {
            let Some(leaf) = self.docs.get(id).and_then(|doc| doc.leaves.get(&rev)) else {
                let item = format!(
                    "\r\nContent-Type: application/json; error=\"true\"\r\n\r\n{{\"missing\":\"{rev}\"}}\r\n--O"
                );
                out.extend(item.bytes());
                continue;
            };
            let known = revs_of(&leaf.json)
                .into_iter()
                .skip(1)
                .find(|rev| since.contains(rev));
            let known = known.map_or(0, |rev| generation(&rev));
            let follows = |stored: &&Stored| stored.entry["revpos"].as_u64().unwrap() > known;
            let json = Couch::shown(leaf, |stored| if follows(&stored) { "follows" } else { "stub" });
            if !leaf.attachments.values().any(|stored| follows(&stored)) {
                out.extend(format!("\r\nContent-Type: application/json\r\n\r\n{json}\r\n--O").bytes());
                continue;
            }
            let head = "\r\nContent-Type: multipart/related; boundary=\"I\"\r\n\r\n--I\r\nContent-Type: application/json";
            out.extend(format!("{head}\r\n\r\n{json}\r\n--I").bytes());
            for (name, stored) in leaf.attachments.iter().filter(|(_, stored)| follows(stored)) {
                let entry = &stored.entry;
                let gzip = if entry.contains_key("encoding") {
                    "\r\nContent-Encoding: gzip"
                } else {
                    ""
                };
                let kind = entry["content_type"].as_str().unwrap();
                let head = format!(
                    "\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Type: {kind}\r\nContent-Length: {}{gzip}\r\n\r\n",
                    stored.bytes.len()
                );
                out.extend([head.as_bytes(), &stored.bytes, b"\r\n--I"].concat());
            }
            out.extend(b"--\r\n--O");
        }
        out.extend(b"--");
        answer("200 OK\r\nContent-Type: multipart/mixed; boundary=\"O\"", out)
    }

    /// Passes over the parts' headers, and takes as many bytes as the JSON says, in its order.
    fn put_related(&mut self, request: &Request) -> Answer {
        assert!(request.path.ends_with("?new_edits=false"));
        let body = &request.body;
        let related = request
            .headers
            .lines()
            .find_map(|line| line.strip_prefix("content-type: multipart/related;"));
        let (json, mut rest): (Value, &[u8]) = match related {
            None => (serde_json::from_slice(body).unwrap(), &[]),
            Some(_) => {
                let (start, end) = (find(body, b"{"), find(body, b"\r\n\r\n"));
                let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter();
                let json = values.next().unwrap().unwrap();
                assert!(end < start);
                (json, &body[start + values.byte_offset()..])
            }
        };
        let mut attachments = BTreeMap::new();
        for (name, entry) in json["_attachments"].as_object().into_iter().flatten() {
            let mut entry = entry.as_object().unwrap().clone();
            if entry.remove("follows").is_none() {
                continue;
            }
            let length = entry
                .get("encoded_length")
                .unwrap_or(&entry["length"])
                .as_u64()
                .unwrap() as usize;
            rest = &rest[find(rest, b"\r\n\r\n") + 4..];
            let bytes = rest[..length].to_vec();
            rest = &rest[length..];
            assert_eq!(entry["digest"], json!(digest(&md5::Md5::digest(&bytes).into())));
            attachments.insert(name.clone(), Stored { entry, bytes });
        }
        match self.put(json, attachments) {
            Ok(()) => answer("201 Created", "{\"ok\":true,\"id\":\"x\",\"rev\":\"1-x\"}"),
            Err(refused) => refused,
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .position(|window| window == what)
        .unwrap()
}
