//! What there is, and the role that each needs. What is not on the list is not served.

use super::answer::Refusal;
use super::guard::guard;
use super::who::{Area, Role};
use super::wishes::{DrainWish, DrillWish, UndrainWish};
use super::{Api, calls, change, console, events, ladder, lines, look, scanners};
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};
use std::sync::Arc;

/// What a route asks of whoever asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it is for scrapers and load balancers, or says no more than the program's own text.
    Nothing,
    /// To be anybody at all.
    Somebody,
    Role(Role),
}

/// One route.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    handler: fn() -> MethodRouter<Arc<Api>>,
}

const EDGE: Needs = Needs::Role(Role::View(Area::Edge));
const SITE: Needs = Needs::Role(Role::View(Area::Site));
const CALLS: Needs = Needs::Role(Role::View(Area::Calls));
const END: Needs = Needs::Role(Role::Edit(Area::Calls));
const MOVE: Needs = Needs::Role(Role::Edit(Area::Edge));
const ADMIN: Needs = Needs::Role(Role::Admin);
const TRUNK: Needs = Needs::Role(Role::View(Area::Trunk));

const fn route(
    method: Method,
    path: &'static str,
    needs: Needs,
    handler: fn() -> MethodRouter<Arc<Api>>,
) -> Route {
    Route { method, path, needs, handler }
}

/// Every route.
pub(super) const ROUTES: &[Route] = &[
    route(Method::GET, "/", Needs::Nothing, || get(console::page)),
    route(Method::GET, "/console/{part}", Needs::Nothing, || get(console::part)),
    route(Method::GET, "/healthz", Needs::Nothing, || get(look::healthz)),
    route(Method::GET, "/metrics", Needs::Nothing, || get(look::metrics)),
    route(Method::GET, "/v1/openapi.json", Needs::Nothing, || get(look::openapi)),
    route(Method::GET, "/v1/schema.json", Needs::Nothing, || get(look::schema)),
    route(Method::GET, "/v1/me", Needs::Somebody, || get(look::me)),
    route(Method::GET, "/v1/status", EDGE, || get(look::status)),
    route(Method::GET, "/v1/regions", EDGE, || get(look::regions)),
    route(Method::GET, "/v1/edge-groups", EDGE, || get(look::edge_groups)),
    route(Method::GET, "/v1/edges", EDGE, || get(look::edges)),
    route(Method::GET, "/v1/generations", EDGE, || get(look::generations)),
    route(Method::GET, "/v1/scanners", EDGE, || get(scanners::list)),
    route(Method::DELETE, "/v1/scanners", MOVE, || delete(scanners::forget)),
    route(Method::GET, "/v1/sites", SITE, || get(look::sites)),
    route(Method::GET, "/v1/trunks", TRUNK, || get(look::trunks)),
    route(Method::GET, "/v1/routes", TRUNK, || get(look::routes)),
    route(Method::GET, "/v1/calls", CALLS, || get(calls::list)),
    route(Method::GET, "/v1/calls/{call}", CALLS, || get(calls::one)),
    route(Method::DELETE, "/v1/calls/{call}", END, || delete(calls::end)),
    route(Method::GET, "/v1/calls/{call}/ladder", CALLS, || get(ladder::ladder)),
    route(Method::GET, "/v1/events", EDGE, || get(events::events)),
    route(Method::POST, "/v1/regions/{region}/drain", MOVE, || {
        post(lines::order::<lines::Region, DrainWish>)
    }),
    route(Method::POST, "/v1/regions/{region}/undrain", MOVE, || {
        post(lines::order::<lines::Region, UndrainWish>)
    }),
    route(Method::POST, "/v1/regions/{region}/drill", MOVE, || {
        post(lines::order::<lines::Region, DrillWish>)
    }),
    route(Method::POST, "/v1/regions/{region}/stop", MOVE, || post(lines::stop::<lines::Region>)),
    route(Method::POST, "/v1/edges/{edge}/drain", MOVE, || post(lines::order::<lines::Edge, DrainWish>)),
    route(Method::POST, "/v1/edges/{edge}/undrain", MOVE, || post(lines::order::<lines::Edge, UndrainWish>)),
    route(Method::POST, "/v1/edges/{edge}/stop", MOVE, || post(lines::stop::<lines::Edge>)),
    route(Method::GET, "/v1/reload", ADMIN, || get(change::shown)),
    route(Method::POST, "/v1/reload", ADMIN, || post(change::reload)),
    route(Method::POST, "/v1/reload/confirm", ADMIN, || post(change::confirm)),
    route(Method::POST, "/v1/reload/undo", ADMIN, || post(change::undo)),
    route(Method::GET, "/v1/log-level", ADMIN, || get(change::log_level)),
    route(Method::PUT, "/v1/log-level", ADMIN, || put(change::set_log_level)),
];

pub(crate) fn router(api: Arc<Api>) -> Router {
    let all = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    all.fallback(async || Refusal::not_found("nothing is here", "see /v1/openapi.json"))
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not this way", "see /v1/openapi.json")
        })
        .layer(from_fn_with_state(Arc::clone(&api), guard))
        .with_state(api)
}

/// What a route needs, by its path as it stands in the list.
pub(super) fn needs(method: &Method, path: &str) -> Option<Needs> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    ROUTES.iter().find(|route| route.method == *method && route.path == path).map(|route| route.needs)
}
