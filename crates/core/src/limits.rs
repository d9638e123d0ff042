//! Every bound of the product, each with its unit and the reason for its value.

/// Bytes of one document's body without attachments: CouchDB's `max_document_size`.
pub const DOCUMENT_BYTES_MAX: usize = 8_000_000;
/// Bytes of one attachment: CouchDB's `max_attachment_size` (1 GiB).
pub const ATTACHMENT_BYTES_MAX: u64 = 1 << 30;
/// Bytes of one HTTP request: CouchDB's `max_http_request_size` (4 GiB). Only uploads that are streamed may
/// reach it; what must be held in memory is bounded by [`REQUEST_BUFFER_BYTES_MAX`].
pub const REQUEST_BYTES_MAX: u64 = 4 << 30;
/// Bytes that are still read of a request that is refused already: a client that sends its whole body before it reads
/// would otherwise meet a closed connection in place of the reason.
pub const REFUSED_BODY_BYTES_MAX: u64 = 64 << 20;
/// The same of a request for which there is no room: what a client sends before it looks.
pub const OVERLOADED_BODY_BYTES_MAX: u64 = 256 << 10;
/// Bytes of one request body that is held in memory to be parsed: room for a `_bulk_docs` of 10 000 call legs
/// with both SDPs, while a few of them at once still fit a small machine.
pub const REQUEST_BUFFER_BYTES_MAX: usize = 128 << 20;
/// Bytes of request bodies that a server holds at once, until what they ask is committed: two of the longest. Parsed
/// they take a few times as much.
pub const REQUEST_BUFFERS_BYTES_MAX: usize = 2 * REQUEST_BUFFER_BYTES_MAX;
/// Milliseconds that a request waits for room among [`REQUEST_BUFFERS_BYTES_MAX`]: a disk writes that much meanwhile,
/// and clients wait longer before they give up.
pub const REQUEST_BUFFERS_WAIT_MS: u64 = 10_000;
/// Milliseconds without a byte after which a body that holds room is given up.
pub const REQUEST_SILENCE_MS: u64 = 60_000;
/// Bytes of room that a request body takes before as many have come, however many it announces: most bodies are shorter,
/// and [`REQUESTS_MAX`] of them at once leave half of the room to others.
pub const REQUEST_ROOM_FIRST_BYTES: usize = 64 << 10;
/// How many times [`REQUEST_SILENCE_MS`] such a body may take to its end: half an hour, in which a modem brings the two
/// megabytes of a replication's batch.
pub const REQUEST_BUFFER_SILENCES: u32 = 30;
/// Window of a request body that is compressed with zstd, as the power of two of its bytes: what RFC 9659 asks every client
/// to keep to. The widest that zstd knows takes 16 times as much.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Bytes of a log-in: a name and a password.
pub const LOG_IN_BYTES_MAX: usize = 16 << 10;
/// Requests that ask how the server is, under way at once: they have places of their own.
pub const PROBES_MAX: usize = 64;
/// Nested arrays and objects in a document: deep enough for real documents, shallow enough that recursion over
/// it cannot exhaust a 2 MiB thread stack.
pub const JSON_DEPTH_MAX: usize = 512;
/// Nested operators and fields in a selector: no query is so deep, and matching recurses over it.
pub const SELECTOR_DEPTH_MAX: usize = 64;
/// Bytes of a selector's field paths, each test's written out from the document's top, and 64 for the test itself: a
/// short text may spell a long path for very many tests. Room for an `$or` of 10 000 document ids.
pub const SELECTOR_PATH_BYTES_MAX: usize = 1 << 20;
/// Patterns of one selector: more than anyone writes by hand, while each may take [`PATTERN_BYTES_MAX`].
pub const SELECTOR_PATTERNS_MAX: usize = 100;
/// Bytes of a compiled pattern, and again of what matching keeps of it: room for a few hundred characters of any
/// script. A pattern of ten bytes may otherwise ask for megabytes.
pub const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Bytes that matching may keep of any pattern: most have no use for more.
pub const PATTERN_CACHE_BYTES_MIN: usize = 32 << 10;
/// Bytes of all patterns of a selector, compiled and with what matching keeps: a hundred of some characters, or some
/// dozens with classes of all scripts.
pub const SELECTOR_PATTERNS_BYTES_MAX: usize = 8 << 20;
/// Bytes of what the selectors and lists of ids of all questions under way take, and of live feeds: thirty selectors with as
/// many patterns as there may be, or some thousand feeds of a hundred ids.
pub const FILTERS_BYTES_MAX: usize = 256 << 20;
/// Bytes of a posted filter that a live feed keeps without being counted: [`LIVE_FEEDS_MAX`] of them take 160 MB at most.
pub const FEED_FILTER_FREE_BYTES: usize = 1 << 10;
/// How many times its text a filter takes in memory, about.
pub const FILTER_BYTES_PER_BYTE: usize = 4;
/// Bytes that may be read to match one document with a selector, or what takes as long: the longest document 64 times, a
/// second of a core. It is read once for all fields of a selector, and again for each test of a long value in it.
pub const SELECTOR_WORK_MAX: u64 = 64 * DOCUMENT_BYTES_MAX as u64;
/// The same for one piece of a search, between which others have their turns: some dozen milliseconds. A selector of a few
/// fields reads a chunk of documents with a tenth of it.
pub const SEARCH_SLICE_WORK: u64 = 64 << 20;
/// Digits of an integer in a document: revision ids hash integers in binary, and conversion costs the square of
/// their length; with this bound a document full of them still takes less than half a second.
pub const INTEGER_DIGITS_MAX: usize = 10_000;
/// Bytes of a document id: redb keys stay well inside one page with it; CouchDB's practical limit is similar.
pub const DOC_ID_BYTES_MAX: usize = 8_000;
/// Bytes of a database name: CouchDB's `max_database_name` of 238; with it every name is also a file name.
pub const DB_NAME_BYTES_MAX: usize = 238;
/// Generations of a document: the integers that every JSON reader keeps exactly, so that `_revisions.start` survives
/// any client; a document edited each microsecond reaches it after 285 years.
pub const GENERATION_MAX: u64 = 1 << 53;
/// Bytes of a digest that is no MD5: they come from people and from importers, who write short ones. Every path and
/// every tree repeats them.
pub const DIGEST_BYTES_MAX: usize = 256;
/// Revisions kept on each branch of a document: CouchDB's `revs_limit`.
pub const REVS_LIMIT_DEFAULT: u32 = 1000;
/// Documents per `_purge` request, and purges remembered: CouchDB's `purged_infos_limit`.
pub const PURGED_INFOS_LIMIT_DEFAULT: u32 = 1000;
/// Bytes of a winner's body that stay in its by_seq row; longer bodies get a row of their own, so that feeds
/// without bodies stay dense. One redb page.
pub const INLINE_BODY_BYTES_MAX: usize = 4096;
/// Bytes of an attachment kept inside redb; longer ones are files. Two reads of a small file cost more than one
/// page run of this length.
pub const INLINE_ATTACHMENT_BYTES_MAX: usize = 16 << 10;
/// Bytes of bodies that a leader puts into one commit while others wait.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;
/// Bytes of edits that wait for a database's leader on behalf of asynchronous code, which may queue without end when the
/// disk is slower than its producers: seconds of writing, and two of the longest requests.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Milliseconds until a relaxed write is durable.
pub const RELAXED_FLUSH_MS: u64 = 100;
/// Bytes that a feed or scan reads from one snapshot before it lets it go.
pub const SCAN_CHUNK_BYTES: usize = 256 << 10;
/// Bytes of one row of a peer's changes feed: a document of [`DOCUMENT_BYTES_MAX`] that spells every quote with a
/// backslash, and its special members.
pub const CHANGES_ROW_BYTES_MAX: usize = 16 << 20;
/// Bytes of one frame of the exchange: a document of [`DOCUMENT_BYTES_MAX`] with thousands of ancestors and attachments.
/// A row that would be longer goes without its documents.
pub const EXCHANGE_FRAME_BYTES_MAX: usize = 16 << 20;
/// Bytes of rows that a peer may send before it tells which seq they reach; it sends a few hundred KiB.
pub const EXCHANGE_ROWS_BYTES_MAX: usize = 16 << 20;
/// Milliseconds after which a quiet feed of the exchange gives a sign of life. HTTP/2 pings say that the connection lives,
/// but a proxy answers them itself. Ten thousand idle feeds send some 170 small frames a second.
pub const EXCHANGE_HEARTBEAT_MS: u64 = 60_000;
/// Milliseconds without a sign of life after which such a feed is given up: two may be lost or late.
pub const EXCHANGE_SILENCE_MS: u64 = 180_000;
/// Uploads of attachment contents that a server remembers at once, under way, cut off, or waiting for a document that
/// names them: the batches of some hundred peers; one that waits is a name and a path.
pub const EXCHANGE_UPLOADS_MAX: usize = 4096;
/// Those of them under way or cut off: as many voicemails as a site loses its link in the middle of; each holds an open
/// file.
pub const EXCHANGE_UPLOADS_OPEN_MAX: usize = 256;
/// Bytes on disk of those that are cut off or wait; beyond that the oldest of them begin again.
pub const EXCHANGE_UPLOADS_BYTES_MAX: u64 = 8 << 30;
/// Milliseconds that they are kept: links come back within minutes, and disks are not for what nobody wants.
pub const EXCHANGE_UPLOAD_KEPT_MS: u64 = 600_000;
/// Bytes that an HTTP/2 server may send of one answer before they are read: 3 MB/s over a link of 80 ms round trip, while
/// ten thousand live feeds hold little.
pub const HTTP2_ANSWER_WINDOW_BYTES: u32 = 256 << 10;
/// The same of all answers of a connection: as much as HTTP/2 can say, so that feeds that nobody reads for a while do not
/// hold up the others. What each holds, its own window bounds. The h2 crate also ends connections over small frames that
/// nobody has read yet, by half of this: with its default a few thousand feeds do not live long.
pub const HTTP2_ANSWERS_WINDOW_BYTES: u32 = (1 << 31) - 1;
/// Bytes that a server may send of a feed that has far to go: 100 MB/s over a link of 80 ms round trip.
pub const HTTP2_WIDE_WINDOW_BYTES: u32 = 16 << 20;
/// Feeds of a process that have so wide a window at once; more take turns by the others' windows.
pub const HTTP2_WIDE_FEEDS_MAX: usize = 8;
/// Changes that a replication lacks when it has far to go.
pub const REPLICATION_FAR_CHANGES: u64 = 10_000;
/// Bytes that an HTTP/2 client may send of one request before they are read. A request has a place among
/// [`REQUESTS_MAX`] or is answered at once, so that all of a server's hold 1 GiB at most, however many connections they
/// come by. A batch of a replication, some 400 KB, goes in one round trip; one upload over a link of 80 ms gets 6 MB/s of
/// it, and HTTP/1.1 what TCP gives.
pub const HTTP2_REQUEST_WINDOW_BYTES: u32 = 512 << 10;
/// The same of all requests of a connection: 200 MB/s over such a link for a peer with [`REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE`]
/// requests under way. It also bounds what is read of a connection before any handler has begun. Of frames under 256 bytes,
/// which cost the h2 crate as much again, a connection holds 32 000, by half of this; so wider is not better.
pub const HTTP2_REQUESTS_WINDOW_BYTES: u32 = 16 << 20;
/// Streams of one HTTP/2 connection that are open at once: a feed for each of 10 000 databases, and their requests. An idle
/// feed takes less than 10 kB.
pub const HTTP2_STREAMS_MAX: u32 = 20_000;
/// Requests of one HTTP/2 connection that may have come without having a place among [`REQUESTS_MAX`] (refused ones have none
/// until their answer is gone) before no more of them are read: enough for both cores, some 5 kB each.
pub const HTTP2_STREAMS_UNPLACED_MAX: usize = 32;
/// Bytes of one read from a connection: some 300 of the shortest requests of HTTP/2 come of it before they are counted.
pub const HTTP2_READ_BYTES_MAX: usize = 4 << 10;
/// Bytes of a document's JSON part in a multipart body, special members included: room for a full document, 1000
/// ancestors and thousands of attachments' entries.
pub const MULTIPART_DOC_BYTES_MAX: usize = 16 << 20;
/// Bytes behind the last delimiter of a multipart body, which nobody looks at: clients send a line break, and what was
/// decoded with the delimiter is not counted.
pub const MULTIPART_EPILOGUE_BYTES_MAX: usize = 64 << 10;
/// Bytes of the headers of one part in a multipart body: an attachment's name may be as long as a document's id.
pub const PART_HEADER_BYTES_MAX: usize = 32 << 10;
/// Documents, revisions or keys that one request may list. An entry of three bytes takes a few hundred to hold, so that
/// the bytes of a request alone do not bound the memory it takes.
pub const REQUEST_ITEMS_MAX: usize = 100_000;
/// Runs that a checkpoint's history keeps: CouchDB's number.
pub const REPLICATION_HISTORY_MAX: usize = 50;
/// Rows of one replication batch: enough that a commit's fsync and a round trip are shared by many documents.
pub const REPLICATION_BATCH_ROWS: usize = 1000;
/// Bytes of documents that a replication fetches and writes at once; the same reason, for large documents.
pub const REPLICATION_BATCH_BYTES: usize = 2 << 20;
/// Batches of one replication that are under way at once: reading, comparing, fetching and writing overlap.
pub const REPLICATION_BATCHES_IN_FLIGHT: usize = 4;
/// The same where the target takes a round trip per batch and no more: thirty-two of them hide a round trip of 80 ms. Bytes are bounded apart.
pub const REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE: usize = 32;
/// Milliseconds between two batches of a live feed whose rows keep coming: more commits make nobody's data fresher to the
/// eye, and dozens of replicas share a machine.
pub const REPLICATION_BATCH_PAUSE_MS: u64 = 20;
/// Bytes of documents that all replications of a process hold at once: three that catch up at full speed, or hundreds
/// that take turns after an outage. None may hold more than is left, so that some is left for those that come.
pub const REPLICATIONS_BYTES_IN_FLIGHT: usize = 128 << 20;
/// Bytes beside these for the first batches of those that hold nothing while others, whose peers hang perhaps, hold all:
/// hundreds of them go on in small batches meanwhile.
pub const REPLICATIONS_FIRST_BYTES: usize = 16 << 20;
/// Bytes that such a batch is expected to have at most: some calls as they are made.
pub const REPLICATION_FIRST_BYTES: usize = 64 << 10;
/// Attachments that all replications of a process move at once; each holds some chunks.
pub const REPLICATIONS_ATTACHMENT_STREAMS: usize = 64;
/// Milliseconds that may be waited for the ends of such a stream, or for the rest of an answer, while fewer than
/// [`REPLICATION_STREAM_BYTES_LEAST`] move: longer than links and disks pause. A run's own cap does not count.
pub const REPLICATION_STREAM_WAIT_MS: u64 = 60_000;
/// Bytes that must move in that time: half of what one of four streams gets of a modem's 9600 bit/s.
pub const REPLICATION_STREAM_BYTES_LEAST: usize = 8 << 10;
/// Uploads of attachment bytes that were cut off and are kept by a database's peer to be gone on with.
pub const UPLOADS_BEGUN_MAX: usize = 64;
/// Milliseconds that they are kept: links that die for longer start again.
pub const UPLOADS_BEGUN_MS: u64 = 600_000;
/// Bytes of documents that one replication holds at once, over all batches.
pub const REPLICATION_BYTES_IN_FLIGHT: usize = 32 << 20;
/// Documents with attachments that one replication moves at once: hides round trips; each holds some chunks only.
pub const REPLICATION_ATTACHMENT_STREAMS: usize = 4;
/// Bytes of one answer of a peer that is held in memory; longer ones are asked for in pieces.
pub const PEER_ANSWER_BYTES_MAX: usize = 32 << 20;
/// Characters that are kept of a foreign id that is none here: enough to find the document, while a source may send
/// megabytes.
pub const ODD_ID_CHARS_MAX: usize = 500;
/// Refused documents that a replication's result lists; it counts all.
pub const REFUSED_LISTED_MAX: usize = 1000;
/// Bytes of what the built-in `_sum` makes of any number of rows: each block of an index has such a sum. CouchDB wants
/// sums of more than 5 kB to be half as long as what is summed up, which depends on how it is split.
pub const REDUCTION_BYTES_MAX: usize = 64 << 10;
/// Bytes of a value that an error of a built-in reduce function repeats: enough to find the document by.
pub const REDUCE_CAUSE_BYTES_MAX: usize = 1000;
/// Values of `_top_N` and `_bottom_N`: CouchDB's number.
pub const RANKED_VALUES_MAX: usize = 100;

/// Bytes of ids that one line of the audit log lists: a hundred of usual length.
pub const AUDIT_IDS_BYTES_MAX: usize = 4096;

// Snapshots.

/// Milliseconds for which one moment of a database can be read: meanwhile its file grows by all that is written, which is
/// some ten gigabytes on a very busy node.
pub const SNAPSHOT_AGE_MAX_MS: u64 = 600_000;

/// Seconds for which a snapshot is kept that asks for nothing else: a report of some questions, with time to spare.
pub const SNAPSHOT_SECONDS_DEFAULT: u64 = 60;

/// Snapshots that a server keeps at once: each makes files grow, and keeps one open.
pub const SNAPSHOTS_MAX: usize = 32;

/// Of these, snapshots of all who do not administer the server: what is left stays for those who do.
pub const SNAPSHOTS_OF_USERS_MAX: usize = 24;

/// Of these, snapshots of one name, administrators of databases too: a report has one, and others want some, too.
pub const SNAPSHOTS_OF_ONE_MAX: usize = 8;

// Named feeds.

/// Named feeds of a database: each costs every write a glance at the document.
pub const FEEDS_MAX: usize = 256;

/// Chunks of changes that one step of building a feed reads at most: what a crash makes it read again.
pub const FEED_STEP_CHUNKS: usize = 400;

/// Rows that one step puts into a feed or takes out: writers wait for that long, some 100 ms.
pub const FEED_STEP_ROWS: usize = 20_000;

/// Bytes of the documents that one step moves, for the same reason.
pub const FEED_STEP_BYTES: usize = 4 << 20;

// Indexes.

/// A block of an index begins to look for a good place to end at so many bytes: shorter ones cost more heads than they
/// save, longer ones more bytes per changed row.
pub const INDEX_BLOCK_BYTES_MIN: usize = 3 << 10;

/// A block of an index has at most so many bytes, unless a single row has more: just under two pages of the file, so that
/// a block takes no third.
pub const INDEX_BLOCK_BYTES_MAX: usize = (8 << 10) - 192;

/// A head of an index stands for at most so many of the level below: what a reduction reads of each level at either end.
pub const INDEX_FANOUT_MAX: usize = 128;

/// One that stands for fewer is joined with its neighbour.
pub const INDEX_FANOUT_MIN: usize = 16;

/// Bytes of documents that are handed to a mapping thread at once: some milliseconds of work.
pub const INDEX_BATCH_BYTES: usize = 512 << 10;

/// Threads that map documents for one index: beyond, whoever writes the index is what is waited for.
pub const INDEX_MAP_THREADS_MAX: usize = 8;

/// Bytes of rows that each of them gathers before they are sorted and written.
pub const INDEX_ROWS_BYTES: usize = 16 << 20;

/// Bytes of rows in one commit of an index that is built: what one commit changes is held in memory.
pub const INDEX_COMMIT_BYTES: usize = 4 << 20;

/// Documents that a query without an index goes through by id before it looks whether another way is shorter.
pub const SWEEP_WORTH_DOCUMENTS: u64 = 4096;

/// Results of a query that are looked for in all documents at once: each thread holds as many ids, of 8000 bytes at most.
pub const SWEEP_RESULTS_MAX: usize = 1000;

/// Index files that are open at once: descriptors, and the memory of their caches.
pub const INDEXES_OPEN_MAX: usize = 64;

/// Databases whose Mango indexes are known without reading their design documents: some kilobytes each.
pub const CATALOGS_KEPT_MAX: usize = 256;

/// Times that an index is chosen for one question while design documents change: each time somebody was faster.
pub const PLANS_MAX: usize = 5;

/// Bytes that the cache of one index file may grow to.
pub const INDEX_CACHE_BYTES: usize = 8 << 20;

/// Compiled functions of design documents that a thread which runs filters or updates keeps for the next call: as many as
/// feeds that take turns there use as a rule. Each takes about 200 KB, and for the time of a call what it may use at most.
pub const SANDBOXES_PER_THREAD_MAX: usize = 8;

/// Threads that run validation functions, one for each database that is written to just now: beyond, whoever commits
/// runs them itself.
pub const VALIDATORS_MAX: usize = 64;

/// Milliseconds without a document after which such a thread ends: longer than a batch of a replication takes.
pub const VALIDATOR_IDLE_MS: u64 = 30_000;

/// Passes over indexes that run at once for a server's requests: each has threads of its own, and megabytes of rows.
pub const INDEX_PASSES_MAX: usize = 8;

/// Databases whose indexes are brought up to date at once behind writes: requests that wait for theirs come first.
pub const INDEX_BACKGROUND_PASSES_MAX: usize = 2;

/// Milliseconds after a write until that begins: writes come in swarms, and one pass sees to many.
pub const INDEX_BACKGROUND_WAIT_MS: u64 = 1000;

/// Times that a map or reduce function is ended for going over a bound before it gets less time: what happens so often
/// is no accident, and a pass over an index has to come to its end.
pub const FUNCTION_ENDINGS_MAX: u32 = 5;

/// Milliseconds that it gets then: what goes on for longer holds up a pass over a million documents for days.
pub const FUNCTION_HURRIED_MS: u64 = 100;

/// Times that it is ended before it gets least.
pub const FUNCTION_HURRIED_ENDINGS_MAX: u32 = 100;

/// Milliseconds that it gets then: each document is still tried.
pub const FUNCTION_LEAST_MS: u64 = 10;

/// Times that a validation function is ended within one commit before it judges no more of its documents: each holds
/// up all that is written to the database by some seconds.
pub const VALIDATOR_ENDINGS_MAX: u32 = 3;

/// Calls of a kept function between two looks at how much memory it keeps.
pub const SANDBOX_CALLS_PER_LOOK: u32 = 64;

/// Milliseconds that reductions for one chunk of an answer may take before the chunk is sent as it is.
pub const REDUCE_CHUNK_MS: u64 = 1000;

// Aggregates.

/// Groups, values and shown fields of one aggregate: more than a table on paper has.
pub const AGGREGATE_COLUMNS_MAX: usize = 100;

/// Bytes of the groups of one aggregate, over all threads that gather them: some 300 000 groups of a few sums each. A
/// report of more rows is an export.
pub const AGGREGATE_BYTES_MAX: usize = 128 << 20;

/// Aggregates that a server gathers or sends at once: each uses all cores, and holds memory.
pub const AGGREGATES_MAX: usize = 4;

/// Milliseconds that an aggregate waits for its turn among them: clients wait longer before they give up.
pub const AGGREGATE_WAIT_MS: u64 = 10_000;

// Who asks.

/// Rounds of PBKDF2 that are still done for a password: some ten times of what is advised, seconds of a core. A document
/// that says more logs nobody in.
pub const PASSWORD_ITERATIONS_MAX: u32 = 10_000_000;

/// Milliseconds that a request waits for its turn to derive a password: behind some ten others.
pub const PASSWORD_WAIT_MS: u64 = 5_000;

/// New passwords of users in one request: half a minute of a core, as many rounds as by default, which log-ins wait
/// between.
pub const PASSWORDS_SET_MAX: usize = 100;

/// Bytes of a user's document that can log in: names of a few hundred roles.
pub const USER_DOC_BYTES_MAX: usize = 64 << 10;

/// Users' documents that are remembered, each mostly a few hundred bytes.
pub const ACCOUNTS_MAX: usize = 1_000;

/// Pairs of name and password that are remembered to be right: as many as devices of a large site; 64 bytes each.
pub const VERIFIED_CREDENTIALS_MAX: usize = 10_000;

/// Names from addresses whose failures are counted: deriving passwords is slow enough that nobody fills it within the
/// time that they count.
pub const LOCKOUTS_MAX: usize = 10_000;

/// Milliseconds of refusals that are counted together: see [`REFUSALS_LISTED_MAX`].
pub const REFUSALS_COUNTED_MS: u64 = 10_000;

/// Refusals of one user, or of one address without a user's name, that the log lists within that time: more than a client
/// makes that is set up wrongly. The others are summed up, so that an address adds less than 5 kB a second.
pub const REFUSALS_LISTED_MAX: u64 = 50;

/// Users and addresses whose refusals are counted apart within that time; those beyond are counted as one.
pub const REFUSALS_CLIENTS_MAX: usize = 10_000;

/// Characters of a path or a reason that a line of the audit log shows.
pub const REFUSAL_CHARS_NOTED: usize = 256;

// Connections.

/// Connections of a server at once: peers keep one, clients a few; each holds a file descriptor and some 20 kB.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Of these, connections from one address: what a site behind one has, or a proxy keeps; a tenth, so that one client does
/// not shut out the others.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 10;

/// File descriptors that connections leave to what is open beside databases: index files, uploads, attachments that are
/// read, connections to peers and those that are refused, and listeners. With the 1024 that a process often has, half are
/// for connections, and a quarter for databases.
pub const DESCRIPTORS_RESERVED: usize = 256;

/// Requests under way at once, live feeds not counted: what two cores answer in a second. More would wait for longer than
/// their clients do.
pub const REQUESTS_MAX: usize = 2_000;

/// Live feeds of a server at once: as many as its peers may open on one connection, and some.
pub const LIVE_FEEDS_MAX: usize = 40_000;

/// Milliseconds that the head of a request may take, and that a connection without a request is kept: clients keep theirs
/// for a minute.
pub const REQUEST_HEAD_MS: u64 = 65_000;

/// Bytes of a request's head: a document id of [`DOC_ID_BYTES_MAX`] percent-encoded, options, and cookies.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;

/// Milliseconds that a TLS handshake may take: three round trips of the worst link.
pub const TLS_HANDSHAKE_MS: u64 = 10_000;

/// Bytes that a client must send of a request's body, or read of its answer, in each [`REQUEST_SILENCE_MS`] that it is
/// waited for: a modem does it, and who holds connections open with a byte now and then does not.
pub const REQUEST_STREAM_BYTES_LEAST: usize = 8 << 10;

/// How many times longer than another answer of HTTP/2 a live feed may wait for its client to take what there is of it:
/// half an hour, while a replica that has to do with what it has read, an attachment over a modem perhaps, reads no more.
pub const UNTAKEN_FEED_TIMES: u32 = 8;

/// Bytes of answers that were made and that their clients have not taken, all together: a thousand feeds and listings on slow
/// links, a chunk each; of one who asks, half.
pub const ANSWERS_BYTES_MAX: usize = 512 << 20;

/// Milliseconds that an answer waits for room among [`ANSWERS_BYTES_MAX`] before its client is told to come back: until those
/// who take nothing have been ended, and some of their likes. One that has begun waits for as long as its client does.
pub const ANSWERS_WAIT_MS: u64 = 30_000;

/// Bytes of an answer in one piece that are not counted among them: [`REQUESTS_MAX`] of such take 128 MB.
pub const ANSWER_UNCOUNTED_BYTES_MAX: usize = 64 << 10;

/// Milliseconds after which an answer of HTTP/2 that its client does not take is ended while others wait for room: links
/// pause for less.
pub const UNTAKEN_PRESSED_MS: u64 = 10_000;

/// How many times longer than another answer a live feed may wait then: a replica of many databases takes what came of each in
/// turn, and a minute of its writing is more than all of them may hold here.
pub const UNTAKEN_PRESSED_FEED_TIMES: u32 = 6;

/// Bytes of an answer that are handed to a connection at once: what a client that does not read keeps there. A frame of
/// HTTP/2 has no more.
pub const ANSWER_PIECE_BYTES_MAX: usize = 16 << 10;

/// Connections beyond [`CONNECTIONS_MAX`] that are told so at once; more are closed without a word.
pub const CONNECTIONS_REFUSED_MAX: usize = 64;

// Security.

/// Local documents in one database of one who does not see all of it: as many replications have their checkpoints there.
pub const LOCAL_DOCS_OF_ASKER_MAX: usize = 256;

/// Bytes of each of them: a checkpoint's history takes a third of that.
pub const LOCAL_DOC_OF_ASKER_BYTES_MAX: usize = 64 << 10;

/// Grants of one database: each is looked at with every request, and may hold a selector.
pub const SECURITY_GRANTS_MAX: usize = 1000;
