//! THE MAP: every path the server knows, and who answers it.
//!
//! Each row says what its methods need of who asks (`access`); without that, none can be written. Methods that a row does
//! not name get 405 with the row's own in `Allow`; HEAD is answered wherever GET is.

mod active_tasks;
mod aggregate;
mod all_dbs;
mod all_docs;
mod attachment;
mod bulk_docs;
mod bulk_get;
mod changes;
#[cfg(test)]
mod chunked;
mod compare;
mod config;
mod database;
mod db_updates;
mod dbs_info;
mod design_functions;
mod document;
mod exchange;
mod find;
mod find_index;
mod listed;
mod local;
mod local_docs;
mod maintenance;
#[cfg(test)]
mod matrix;
mod named_feed;
mod partition;
mod purge;
mod replicate;
mod revs_diff;
mod scheduler;
mod security;
mod server;
mod session;
mod settings;
mod snapshot;
mod table;
mod uuids;
mod views;

use crate::access::needs::*;
use crate::app::App;
use crate::error::Error;
use axum::Router;
use axum::http::StatusCode;
use table::{Row, Table, any, copy, delete, get, head, post, put};

pub(crate) use exchange::Uploads;

pub(crate) fn map(app: App) -> Router {
    table()
        .0
        .fallback(|| async { Error::NotFound("There is nothing at this path.".into()) })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .with_state(app)
}

fn table() -> (Router<App>, Vec<Row>) {
    let table = server_level(Table::new());
    let table = partition_level(database_level(table));
    document_level(design_level(table)).done()
}

fn server_level(table: Table) -> Table {
    table
        .at("/", [get(NOTHING, server::welcome)])
        .at("/favicon.ico", [get(NOTHING, server::favicon)])
        .at("/_active_tasks", [get(SERVER_ADMIN, active_tasks::list)])
        .at("/_all_dbs", [get(SERVER_ADMIN, all_dbs::list)])
        .at("/_db_updates", [get(SERVER_ADMIN, db_updates::feed)])
        .at(
            "/_dbs_info",
            [
                get(SERVER_ADMIN, dbs_info::all),
                post(SERVER_ADMIN, dbs_info::some),
            ],
        )
        .at("/_membership", [get(SERVER_ADMIN, server::membership)])
        .at("/_node/{node}/_config", [get(SERVER_ADMIN, config::all)])
        .at(
            "/_node/{node}/_config/_reload",
            [post(SERVER_ADMIN, config::reload)],
        )
        .at(
            "/_node/{node}/_config/{section}",
            [get(SERVER_ADMIN, config::section)],
        )
        .at(
            "/_node/{node}/_config/{section}/{key}",
            [
                get(SERVER_ADMIN, config::show),
                put(SERVER_ADMIN, config::set),
                delete(SERVER_ADMIN, config::delete),
            ],
        )
        .at("/_replicate", [post(SERVER_ADMIN, replicate::replicate)])
        .at("/_scheduler/docs", [get(SERVER_ADMIN, scheduler::docs)])
        .at(
            "/_scheduler/docs/{*path}",
            [get(SERVER_ADMIN, scheduler::docs_of)],
        )
        .at("/_scheduler/jobs", [get(SERVER_ADMIN, scheduler::jobs)])
        .at("/_scheduler/jobs/{id}", [get(SERVER_ADMIN, scheduler::job)])
        .at(
            "/_scheduler/jobs/{id}/failures",
            [
                get(SERVER_ADMIN, scheduler::failures),
                delete(SERVER_ADMIN, scheduler::dismiss),
            ],
        )
        .at(
            "/_scheduler/jobs/{id}/retry",
            [post(SERVER_ADMIN, scheduler::retry)],
        )
        .at(
            "/_session",
            [
                get(NOTHING, session::show),
                post(NOTHING, session::log_in),
                delete(NOTHING, session::log_out),
            ],
        )
        .at("/_up", [get(NOTHING, server::up)])
        .at("/_uuids", [get(NOTHING, uuids::make)])
}

fn database_level(table: Table) -> Table {
    table
        .at(
            "/{db}",
            [
                put(SERVER_ADMIN, database::create),
                get(ANY, database::show),
                delete(SERVER_ADMIN, database::delete),
                post(WRITE, database::add_document),
            ],
        )
        .at(
            "/{db}/_all_docs",
            [get(READ, all_docs::all), post(READ, all_docs::all_posted)],
        )
        .at("/{db}/_all_docs/queries", [post(READ, all_docs::all_queries)])
        .at(
            "/{db}/_design_docs",
            [get(READ, all_docs::designs), post(READ, all_docs::designs_posted)],
        )
        .at(
            "/{db}/_design_docs/queries",
            [post(READ, all_docs::designs_queries)],
        )
        .at(
            "/{db}/_local_docs",
            [
                get(READ_WHOLE, local_docs::list),
                post(READ_WHOLE, local_docs::list_posted),
            ],
        )
        .at(
            "/{db}/_local_docs/queries",
            [post(READ_WHOLE, local_docs::queries)],
        )
        .at("/{db}/_bulk_docs", [post(EDIT, bulk_docs::write)])
        .at("/{db}/_bulk_get", [post(READ_OR_TAKE, bulk_get::read)])
        .at(
            "/{db}/_changes",
            [
                get(READ_OR_TAKE, changes::feed),
                post(READ_OR_TAKE, changes::feed_posted),
            ],
        )
        .at("/{db}/_compact", [post(CONFIGURE, maintenance::compact)])
        .at(
            "/{db}/_compact/{design}",
            [post(CONFIGURE, views::index::compact)],
        )
        .at(
            "/{db}/_ensure_full_commit",
            [post(ANY, maintenance::ensure_full_commit)],
        )
        .at("/{db}/_exchange/digests", [post(READ_WHOLE, compare::digests)])
        .at("/{db}/_exchange/leaves", [post(READ_WHOLE, compare::leaves)])
        .at(
            "/{db}/_mirror",
            [get(ANY, settings::mirror), put(CONFIGURE, settings::set_mirror)],
        )
        .at("/{db}/_exchange/absent", [post(BRING, exchange::absent)])
        .at("/{db}/_exchange/changes", [post(READ_OR_TAKE, exchange::changes)])
        .at(
            "/{db}/_exchange/contents/{hash}",
            [
                get(READ_OR_TAKE, exchange::content),
                head(BRING, exchange::begun),
                put(BRING, exchange::put_content),
            ],
        )
        .at("/{db}/_exchange/docs", [post(BRING, exchange::docs)])
        .at("/{db}/_exchange/lacking", [post(BRING, exchange::lacking)])
        .at(
            "/{db}/_feed/{design}/{name}",
            [get(READ_OR_TAKE, named_feed::show)],
        )
        .at("/{db}/_missing_revs", [post(MEMBER, revs_diff::missing_revs)])
        .at("/{db}/_purge", [post(CONFIGURE, purge::purge)])
        .at("/{db}/_purged_infos", [get(READ_WHOLE, purge::infos)])
        .at(
            "/{db}/_purged_infos_limit",
            [
                get(ANY, settings::purged_infos_limit),
                put(CONFIGURE, settings::set_purged_infos_limit),
            ],
        )
        .at("/{db}/_revs_diff", [post(MEMBER, revs_diff::revs_diff)])
        .at(
            "/{db}/_revs_limit",
            [
                get(ANY, settings::revs_limit),
                put(CONFIGURE, settings::set_revs_limit),
            ],
        )
        .at(
            "/{db}/_security",
            [get(ANY_WHOLE, security::show), put(CONFIGURE, security::set)],
        )
        .at("/{db}/_snapshot", [post(READ, snapshot::make)])
        .at(
            "/{db}/_snapshot/{token}",
            [get(READ, snapshot::show), delete(READ, snapshot::end)],
        )
        .at(
            "/{db}/_sync_shards",
            [post(CONFIGURE, maintenance::nothing_to_do)],
        )
        .at("/{db}/_view_cleanup", [post(CONFIGURE, views::index::clean)])
        .at("/{db}/_aggregate", [post(READ, aggregate::aggregate)])
        .at("/{db}/_count", [post(READ, find::count)])
        .at("/{db}/_explain", [post(READ_WHOLE, find::explain)])
        .at("/{db}/_find", [post(READ, find::find)])
        .at(
            "/{db}/_index",
            [
                get(READ_WHOLE, find_index::list),
                post(CONFIGURE, find_index::create),
            ],
        )
        .at(
            "/{db}/_index/_bulk_delete",
            [post(CONFIGURE, find_index::bulk_delete)],
        )
        .at(
            "/{db}/_index/{design}/{type}/{name}",
            [delete(CONFIGURE, find_index::delete)],
        )
        .at(
            "/{db}/_index/_design/{design}/{type}/{name}",
            [delete(CONFIGURE, find_index::delete)],
        )
        .at("/{db}/_shards", [any(READ, maintenance::no_shards)])
        .at("/{db}/_shards/{*rest}", [any(READ, maintenance::no_shards)])
}

/// What a partition answers: the same as its database, of less.
fn partition_level(table: Table) -> Table {
    table
        .of_partition(
            "/{db}/_partition/{partition}/_all_docs",
            [get(READ, all_docs::all), post(READ, all_docs::all_posted)],
        )
        .of_partition(
            "/{db}/_partition/{partition}/_all_docs/queries",
            [post(READ, all_docs::all_queries)],
        )
        .of_partition(
            "/{db}/_partition/{partition}/_aggregate",
            [post(READ, aggregate::aggregate)],
        )
        .of_partition("/{db}/_partition/{partition}/_count", [post(READ, find::count)])
        .of_partition(
            "/{db}/_partition/{partition}/_explain",
            [post(READ_WHOLE, find::explain)],
        )
        .of_partition("/{db}/_partition/{partition}/_find", [post(READ, find::find)])
        .of_partition(
            "/{db}/_partition/{partition}/_index",
            [
                get(READ_WHOLE, find_index::list),
                post(CONFIGURE, find_index::create),
            ],
        )
        .of_partition(
            "/{db}/_partition/{partition}/_design/{design}/_info",
            [get(READ_WHOLE, views::index::info)],
        )
        .of_partition(
            "/{db}/_partition/{partition}/_design/{design}/_view/{view}",
            [get(READ, views::one), post(READ, views::one_posted)],
        )
        .of_partition(
            "/{db}/_partition/{partition}/_design/{design}/_view/{view}/queries",
            [post(READ, views::queries)],
        )
        .of_partition("/{db}/_partition/{partition}", [get(READ, partition::info)])
        .of_partition(
            "/{db}/_partition/{partition}/{*rest}",
            [any(READ, partition::nothing_there)],
        )
        .at("/{db}/_partition", [any(READ, partition::unnamed)])
        .at("/{db}/_partition/", [any(READ, partition::unnamed)])
}

/// What design documents answer themselves.
fn design_level(table: Table) -> Table {
    let update = || {
        [
            post(WRITE, design_functions::update),
            put(WRITE, design_functions::update),
        ]
    };
    table
        .at("/{db}/_design/{design}/_update/{function}", update())
        .at("/{db}/_design/{design}/_update/{function}/{*doc}", update())
        .at(
            "/{db}/_design/{design}/_show/{*rest}",
            [any(READ, design_functions::show)],
        )
        .at(
            "/{db}/_design/{design}/_list/{*rest}",
            [any(READ, design_functions::list)],
        )
        .at(
            "/{db}/_design/{design}/_rewrite",
            [any(READ, design_functions::rewrite)],
        )
        .at(
            "/{db}/_design/{design}/_rewrite/{*rest}",
            [any(READ, design_functions::rewrite)],
        )
}

fn document_level(table: Table) -> Table {
    // What a client deletes, and its attachments, no replication brings: who may not write, or configure, is not told more.
    let document = |edits| {
        [
            get(READ_OR_TAKE, document::read),
            put(EDIT, document::write),
            post(WRITE, document::submit_form),
            delete(edits, document::delete),
            copy(WRITE, document::copy),
        ]
    };
    let local = || {
        [
            get(MEMBER, document::read),
            put(CHECKPOINT, document::write),
            post(CHECKPOINT, document::submit_form),
            delete(CHECKPOINT, document::delete),
            copy(CHECKPOINT, document::copy),
        ]
    };
    let attachment = |edits| {
        [
            get(READ_OR_TAKE, attachment::read),
            head(READ_OR_TAKE, attachment::head),
            put(edits, attachment::write),
            delete(edits, attachment::delete),
        ]
    };
    table
        .at("/{db}/{doc}", document(WRITE))
        .at("/{db}/_design/{design}", document(CONFIGURE))
        .at(
            "/{db}/_design/{design}/_info",
            [get(READ_WHOLE, views::index::info)],
        )
        .at(
            "/{db}/_design/{design}/_view/{view}",
            [get(READ, views::one), post(READ, views::one_posted)],
        )
        .at(
            "/{db}/_design/{design}/_view/{view}/queries",
            [post(READ, views::queries)],
        )
        .at("/{db}/_local/{local}", local())
        .at("/{db}/_local/{local}/{*attachment}", attachment(WRITE))
        .at("/{db}/{doc}/{*attachment}", attachment(WRITE))
        .at("/{db}/_design/{design}/{*attachment}", attachment(CONFIGURE))
}
