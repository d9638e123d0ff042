//! THE MAP: every path the server knows, and who answers it.
//!
//! Methods that a row does not name get 405 with the row's own in `Allow`; HEAD is answered wherever GET is.

mod active_tasks;
mod aggregate;
mod all_dbs;
mod all_docs;
mod attachment;
mod bulk_docs;
mod bulk_get;
mod changes;
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
mod uuids;
mod views;

use crate::app::App;
use crate::error::Error;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post, put};

pub(crate) use exchange::Uploads;

pub(crate) fn map(app: App) -> Router {
    Router::new()
        .merge(server_level())
        .merge(database_level())
        .merge(partition_level(&app))
        .merge(design_level())
        .merge(document_level())
        .fallback(|| async { Error::NotFound("There is nothing at this path.".into()) })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .with_state(app)
}

fn server_level() -> Router<App> {
    Router::new()
        .route("/", get(server::welcome))
        .route("/favicon.ico", get(server::favicon))
        .route("/_active_tasks", get(active_tasks::list))
        .route("/_all_dbs", get(all_dbs::list))
        .route("/_db_updates", get(db_updates::feed))
        .route("/_dbs_info", get(dbs_info::all).post(dbs_info::some))
        .route("/_membership", get(server::membership))
        .route("/_node/{node}/_config", get(config::all))
        .route("/_node/{node}/_config/_reload", post(config::reload))
        .route("/_node/{node}/_config/{section}", get(config::section))
        .route(
            "/_node/{node}/_config/{section}/{key}",
            get(config::show).put(config::set).delete(config::delete),
        )
        .route("/_replicate", post(replicate::replicate))
        .route("/_scheduler/docs", get(scheduler::docs))
        .route("/_scheduler/docs/{*path}", get(scheduler::docs_of))
        .route("/_scheduler/jobs", get(scheduler::jobs))
        .route("/_scheduler/jobs/{id}", get(scheduler::job))
        .route(
            "/_scheduler/jobs/{id}/failures",
            get(scheduler::failures).delete(scheduler::dismiss),
        )
        .route("/_scheduler/jobs/{id}/retry", post(scheduler::retry))
        .route(
            "/_session",
            get(session::show).post(session::log_in).delete(session::log_out),
        )
        .route("/_up", get(server::up))
        .route("/_uuids", get(uuids::make))
}

fn database_level() -> Router<App> {
    Router::new()
        .route(
            "/{db}",
            put(database::create)
                .get(database::show)
                .delete(database::delete)
                .post(database::add_document),
        )
        .route("/{db}/_all_docs", get(all_docs::all).post(all_docs::all_posted))
        .route("/{db}/_all_docs/queries", post(all_docs::all_queries))
        .route(
            "/{db}/_design_docs",
            get(all_docs::designs).post(all_docs::designs_posted),
        )
        .route("/{db}/_design_docs/queries", post(all_docs::designs_queries))
        .route(
            "/{db}/_local_docs",
            get(local_docs::list).post(local_docs::list_posted),
        )
        .route("/{db}/_local_docs/queries", post(local_docs::queries))
        .route("/{db}/_bulk_docs", post(bulk_docs::write))
        .route("/{db}/_bulk_get", post(bulk_get::read))
        .route("/{db}/_changes", get(changes::feed).post(changes::feed_posted))
        .route("/{db}/_compact", post(maintenance::compact))
        .route("/{db}/_compact/{design}", post(views::index::compact))
        .route("/{db}/_ensure_full_commit", post(maintenance::ensure_full_commit))
        .route("/{db}/_exchange/digests", post(compare::digests))
        .route("/{db}/_exchange/leaves", post(compare::leaves))
        .route("/{db}/_mirror", get(settings::mirror).put(settings::set_mirror))
        .route("/{db}/_exchange/absent", post(exchange::absent))
        .route("/{db}/_exchange/changes", post(exchange::changes))
        .route("/{db}/_exchange/contents/{hash}", {
            get(exchange::content)
                .head(exchange::begun)
                .put(exchange::put_content)
        })
        .route("/{db}/_exchange/docs", post(exchange::docs))
        .route("/{db}/_exchange/lacking", post(exchange::lacking))
        .route("/{db}/_feed/{design}/{name}", get(named_feed::show))
        .route("/{db}/_missing_revs", post(revs_diff::missing_revs))
        .route("/{db}/_purge", post(purge::purge))
        .route("/{db}/_purged_infos", get(purge::infos))
        .route(
            "/{db}/_purged_infos_limit",
            get(settings::purged_infos_limit).put(settings::set_purged_infos_limit),
        )
        .route("/{db}/_revs_diff", post(revs_diff::revs_diff))
        .route(
            "/{db}/_revs_limit",
            get(settings::revs_limit).put(settings::set_revs_limit),
        )
        .route("/{db}/_security", get(security::show).put(security::set))
        .route("/{db}/_snapshot", post(snapshot::make))
        .route(
            "/{db}/_snapshot/{token}",
            get(snapshot::show).delete(snapshot::end),
        )
        .route("/{db}/_sync_shards", post(maintenance::nothing_to_do))
        .route("/{db}/_view_cleanup", post(views::index::clean))
        .route("/{db}/_aggregate", post(aggregate::aggregate))
        .route("/{db}/_count", post(find::count))
        .route("/{db}/_explain", post(find::explain))
        .route("/{db}/_find", post(find::find))
        .route("/{db}/_index", get(find_index::list).post(find_index::create))
        .route("/{db}/_index/_bulk_delete", post(find_index::bulk_delete))
        .route("/{db}/_index/{design}/{type}/{name}", delete(find_index::delete))
        .route(
            "/{db}/_index/_design/{design}/{type}/{name}",
            delete(find_index::delete),
        )
        .route("/{db}/_shards", any(maintenance::no_shards))
        .route("/{db}/_shards/{*rest}", any(maintenance::no_shards))
}

/// What a partition answers: the same as its database, of less.
fn partition_level(app: &App) -> Router<App> {
    Router::new()
        .route(
            "/{db}/_partition/{partition}/_all_docs",
            get(all_docs::all).post(all_docs::all_posted),
        )
        .route(
            "/{db}/_partition/{partition}/_all_docs/queries",
            post(all_docs::all_queries),
        )
        .route(
            "/{db}/_partition/{partition}/_aggregate",
            post(aggregate::aggregate),
        )
        .route("/{db}/_partition/{partition}/_count", post(find::count))
        .route("/{db}/_partition/{partition}/_explain", post(find::explain))
        .route("/{db}/_partition/{partition}/_find", post(find::find))
        .route(
            "/{db}/_partition/{partition}/_index",
            get(find_index::list).post(find_index::create),
        )
        .route(
            "/{db}/_partition/{partition}/_design/{design}/_info",
            get(views::index::info),
        )
        .route(
            "/{db}/_partition/{partition}/_design/{design}/_view/{view}",
            get(views::one).post(views::one_posted),
        )
        .route(
            "/{db}/_partition/{partition}/_design/{design}/_view/{view}/queries",
            post(views::queries),
        )
        .route("/{db}/_partition/{partition}", get(partition::info))
        .route(
            "/{db}/_partition/{partition}/{*rest}",
            any(partition::nothing_there),
        )
        .route_layer(from_fn_with_state(app.clone(), partition::enter))
        .route("/{db}/_partition", any(partition::unnamed))
        .route("/{db}/_partition/", any(partition::unnamed))
}

/// What design documents answer themselves.
fn design_level() -> Router<App> {
    let update = || post(design_functions::update).put(design_functions::update);
    Router::new()
        .route("/{db}/_design/{design}/_update/{function}", update())
        .route("/{db}/_design/{design}/_update/{function}/{*doc}", update())
        .route(
            "/{db}/_design/{design}/_show/{*rest}",
            any(design_functions::show),
        )
        .route(
            "/{db}/_design/{design}/_list/{*rest}",
            any(design_functions::list),
        )
        .route("/{db}/_design/{design}/_rewrite", any(design_functions::rewrite))
        .route(
            "/{db}/_design/{design}/_rewrite/{*rest}",
            any(design_functions::rewrite),
        )
}

fn document_level() -> Router<App> {
    let document = || {
        get(document::read)
            .put(document::write)
            .post(document::submit_form)
            .delete(document::delete)
            // COPY has no name among the router's methods.
            .fallback(document::copy)
    };
    let attachment = || {
        get(attachment::read)
            .head(attachment::head)
            .put(attachment::write)
            .delete(attachment::delete)
    };
    Router::new()
        .route("/{db}/{doc}", document())
        .route("/{db}/_design/{design}", document())
        .route("/{db}/_design/{design}/_info", get(views::index::info))
        .route("/{db}/_design/{design}/_view/{view}", {
            get(views::one).post(views::one_posted)
        })
        .route(
            "/{db}/_design/{design}/_view/{view}/queries",
            post(views::queries),
        )
        .route("/{db}/_local/{local}", document())
        .route("/{db}/_local/{local}/{*attachment}", attachment())
        .route("/{db}/{doc}/{*attachment}", attachment())
        .route("/{db}/_design/{design}/{*attachment}", attachment())
}
