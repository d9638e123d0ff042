//! Requests drawn at random: a route, names for what is in it, options, headers and a body that fit, nearly fit or do not.

use rand::Rng;
use rand::rngs::StdRng;
use std::fmt::Write;

/// All rows of the route table.
const ROWS: &str = include_str!("../../../crates/http/src/routes/matrix/rows.txt");

pub(super) const DOCS: &str = r#"{"docs":[
    {"_id":"a","n":1,"at":"2026-11-21T10:00:00Z","_attachments":{"t":{"content_type":"text/plain","data":"dGV4dA=="}}},
    {"_id":"b","n":2.5,"list":[1,{"x":null}]},
    {"_id":"_design/d","views":{"v":{"map":"function (doc) { emit(doc.n, doc); }","reduce":"_sum"},
        "w":{"map":"function (doc) { emit(doc._id, 1); }","reduce":"function (k, v, r) { return v.length; }"}},
        "filters":{"f":"function (doc, req) { return doc.n > req.query.n; }"},
        "updates":{"f":"function (doc, req) { return [null, 'x' + req.body]; }"},
        "feeds":{"all":{"selector":{"n":{"$gt":0}}}}}
]}"#;

const NAMES: [&str; 34] = [
    "db",
    "db",
    "db",
    "a",
    "b",
    "d",
    "v",
    "w",
    "f",
    "t",
    "all",
    "json",
    "_local",
    "other",
    "_users",
    "_replicator",
    "..",
    ".",
    "%2e%2e",
    "%2F",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%00",
    "%ff",
    "%",
    "%zz",
    "_design%2Fd",
    "_local%2Fx",
    "_security",
    "A",
    "ö",
    "1-abc",
    "%F0%9F%98%80",
    "a+b",
    "x%0d%0aset-cookie:%20a=b",
];

const OPTIONS: [&str; 48] = [
    "limit",
    "skip",
    "since",
    "startkey",
    "endkey",
    "key",
    "keys",
    "descending",
    "include_docs",
    "attachments",
    "conflicts",
    "rev",
    "open_revs",
    "revs",
    "revs_info",
    "latest",
    "atts_since",
    "new_edits",
    "batch",
    "feed",
    "heartbeat",
    "timeout",
    "filter",
    "style",
    "group",
    "group_level",
    "reduce",
    "inclusive_end",
    "update",
    "stable",
    "update_seq",
    "sorted",
    "startkey_docid",
    "format",
    "snapshot",
    "partition",
    "count",
    "max_lag",
    "until",
    "last-event-id",
    "seq_interval",
    "include_deleted",
    "feed_name",
    "view",
    "meta",
    "local_seq",
    "n",
    "next",
];

const VALUES: [&str; 30] = [
    "true",
    "false",
    "0",
    "1",
    "-1",
    "10",
    "1e9",
    "99999999999999999999",
    "null",
    "%22a%22",
    "%5B%22a%22%2C%22b%22%5D",
    "%7B%7D",
    "all",
    "now",
    "normal",
    "longpoll",
    "continuous",
    "eventsource",
    "all_docs",
    "main_only",
    "_doc_ids",
    "_selector",
    "_view",
    "d/f",
    "d/v",
    "csv",
    "ndjson",
    "1-abc",
    "2026-11-21T10:00:00Z",
    "%F0%28%8C%28",
];

const HEADERS: [&str; 26] = [
    "Content-Type: application/json",
    "Content-Type: application/json",
    "Content-Type: text/plain",
    "Content-Type: multipart/related; boundary=x",
    "Content-Type: multipart/form-data; boundary=x",
    "Content-Type: application/x-www-form-urlencoded",
    "Accept: multipart/mixed",
    "Accept: text/csv",
    "Accept: */*;q=0",
    "Accept-Encoding: gzip, zstd",
    "Content-Encoding: gzip",
    "Content-Encoding: zstd",
    "Content-Encoding: x",
    "Range: bytes=0-1",
    "Range: bytes=9-1,-5,99999999999999999999-",
    "If-Match: 1-abc",
    "If-None-Match: *",
    "If-Range: x",
    "Destination: ../../x",
    "Destination: c?rev=1-abc",
    "X-HTTP-Method-Override: DELETE",
    "Authorization: Basic !!!!",
    "Authorization: Bearer a.b.c",
    "Cookie: AuthSession=YTowOg",
    "Origin: http://evil.example",
    "Expect: 100-continue",
];

const BODIES: [&str; 22] = [
    "",
    "{}",
    "[]",
    "null",
    "1",
    "\"x\"",
    "{",
    "{\"docs\":[{\"_id\":\"c\",\"n\":1},{\"_id\":\"_design/e\",\"views\":{\"v\":{\"map\":\"function(\"}}}]}",
    "{\"keys\":[\"a\",1,null,{}]}",
    "{\"selector\":{\"n\":{\"$gt\":0}},\"limit\":3,\"sort\":[\"n\"]}",
    "{\"selector\":{\"$or\":[{\"n\":{\"$regex\":\"(a+)+$\"}},{\"$not\":{}}]}}",
    "{\"a\":[\"1-abc\",\"x\"]}",
    "{\"docs\":[{\"id\":\"a\",\"rev\":\"1-abc\"},{\"id\":5},null]}",
    "{\"new_edits\":false,\"docs\":[{\"_id\":\"a\",\"_rev\":\"9-abc\",\"_revisions\":{\"start\":9,\"ids\":[\"abc\",\"abd\"]}}]}",
    "{\"index\":{\"fields\":[\"n\"]},\"name\":\"i\"}",
    "{\"queries\":[{\"limit\":1},{\"key\":5}]}",
    "{\"source\":\"db\",\"target\":\"db\"}",
    "{\"group\":{\"n\":\"n\"},\"totals\":{\"s\":{\"$sum\":\"n\"}}}",
    "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"_deleted\":true}",
    "{\"_attachments\":{\"x\":{\"data\":\"====\"},\"y\":{\"follows\":true,\"length\":99999999999}}}",
    "{\"expires_in\":1,\"indexes\":[]}",
    "--x\r\nContent-Type: application/json\r\n\r\n{\"_attachments\":{\"f\":{\"follows\":true,\"length\":3}}}\r\n--x\r\n\r\nabc\r\n--x--",
];

pub(super) struct Draw(StdRng);

impl Draw {
    pub(super) fn new(random: StdRng) -> Draw {
        Draw(random)
    }

    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.0.random_range(0..all.len())]
    }

    /// Bytes that may be a request.
    pub(super) fn request(&mut self) -> Vec<u8> {
        let rows: Vec<&str> = ROWS.lines().collect();
        let row = loop {
            let row = self.one(&rows);
            // It would set the bounds that are tried here, or end the job of all other requests.
            if !row.contains("/_config") && !row.starts_with("DELETE /{db}:") {
                break row;
            }
        };
        let (method, path) = row.split_once(' ').unwrap();
        let path = path.rsplit_once(": ").unwrap().0;
        let mut method = if method == "*" { "GET" } else { method };
        if self.0.random_ratio(1, 20) {
            method = self.one(&[
                "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X",
            ]);
        }
        let target = self.target(path);
        let body = self.body();
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        for _ in 0..self.0.random_range(0..4) {
            let _ = write!(head, "{}\r\n", self.one(&HEADERS));
        }
        let length = match self.0.random_range(0..40) {
            0 => body.len() + 5,
            1 => body.len().saturating_sub(3),
            _ => body.len(),
        };
        match self.0.random_range(0..30) {
            0 => head.push_str("Transfer-Encoding: chunked\r\n"),
            1 => head.push_str("Content-Length: -1\r\n"),
            _ => drop(write!(head, "Content-Length: {length}\r\n")),
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&body);
        if self.0.random_ratio(1, 30) {
            let place = self.0.random_range(0..request.len());
            request[place] = self.0.random();
        }
        request
    }

    fn target(&mut self, path: &str) -> String {
        let mut target = String::new();
        for segment in path.split('/').skip(1) {
            target.push('/');
            match segment {
                "{db}" if self.0.random_ratio(9, 10) => target.push_str("db"),
                _ if segment.starts_with('{') => target.push_str(self.one(&NAMES)),
                _ => target.push_str(segment),
            }
        }
        for place in 0..self.0.random_range(0..4) {
            let (option, value) = (self.one(&OPTIONS), self.one(&VALUES));
            let _ = write!(target, "{}{option}={value}", if place == 0 { '?' } else { '&' });
        }
        target
    }

    fn body(&mut self) -> Vec<u8> {
        match self.0.random_range(0..12) {
            0 => (0..self.0.random_range(0..300))
                .map(|_| self.0.random())
                .collect(),
            1 => "[".repeat(self.0.random_range(1..20_000)).into_bytes(),
            2 => format!("{{\"n\":{}}}", "9".repeat(self.0.random_range(1..30_000))).into_bytes(),
            _ => {
                let mut body = self.one(&BODIES).as_bytes().to_vec();
                if self.0.random_ratio(1, 6) && !body.is_empty() {
                    let place = self.0.random_range(0..body.len());
                    body[place] = self.0.random();
                }
                body
            }
        }
    }
}
