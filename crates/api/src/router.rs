//! Every address of the house, by resource. Read it like a table of contents.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ObjectBuilder, OpenApi, PathItem, RefOr, Required, Response, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::guard::SESSION_COOKIE;
use crate::routes::{
    agent, callbacks, calls, company, consult, desk, flows, history, lists, me, numbers, phones,
    prompts, queues, recordings, session, setup, system, users,
};
use crate::{idempotency, layer, pages, ws};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Antiphon",
        description = "The contact centre: desk, calls, administration and live state.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(crate::problem::ProblemBody, crate::problem::Fault))
)]
struct Description;

fn table() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        // First start and sessions
        .routes(routes!(setup::state, setup::begin))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(me::show, me::change))
        .routes(routes!(me::put_password))
        // Desk
        .routes(routes!(desk::show))
        .routes(routes!(agent::sign_in))
        .routes(routes!(agent::sign_out))
        .routes(routes!(agent::ready))
        .routes(routes!(agent::take_break))
        .routes(routes!(agent::accept))
        .routes(routes!(agent::decline))
        .routes(routes!(agent::hold))
        .routes(routes!(agent::resume))
        .routes(routes!(agent::transfer))
        .routes(routes!(consult::list))
        .routes(routes!(consult::begin))
        .routes(routes!(consult::end))
        .routes(routes!(consult::hand_over))
        .routes(routes!(consult::confer))
        .routes(routes!(consult::part))
        .routes(routes!(agent::hangup))
        .routes(routes!(agent::wrap_up))
        .routes(routes!(agent::extend_wrap_up))
        .routes(routes!(agent::put_note))
        // Calls
        .routes(routes!(calls::list))
        .routes(routes!(calls::show))
        .routes(routes!(recordings::play))
        .routes(routes!(recordings::waveform))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::done))
        // Administration
        .routes(routes!(company::show, company::put))
        .routes(routes!(company::reach))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::replace, users::remove))
        .routes(routes!(phones::renew))
        .routes(routes!(queues::list, queues::create))
        .routes(routes!(queues::show, queues::replace, queues::remove))
        .routes(routes!(flows::list, flows::create))
        .routes(routes!(flows::check))
        .routes(routes!(flows::show))
        .routes(routes!(flows::put_draft))
        .routes(routes!(flows::publish))
        .routes(routes!(numbers::list))
        .routes(routes!(numbers::show, numbers::put, numbers::remove))
        .routes(routes!(prompts::list))
        .routes(routes!(prompts::play, prompts::put, prompts::remove))
        .routes(routes!(lists::calendars, lists::put_calendars))
        .routes(routes!(lists::dispositions, lists::put_dispositions))
        .routes(routes!(lists::break_reasons, lists::put_break_reasons))
        .routes(routes!(history::list))
        // Live
        .routes(routes!(ws::open))
        .routes(routes!(ws::ticket))
        // System
        .routes(routes!(system::health))
        .routes(routes!(system::ready))
        .routes(routes!(system::metrics))
        .routes(routes!(system::openapi))
}

/// Every address with the layers around them.
pub(crate) fn router(app: App) -> Router {
    let (routes, _) = table().split_for_parts();
    routes
        .route("/api/docs", get(system::docs))
        .method_not_allowed_fallback(layer::wrong_method)
        .fallback(pages::serve)
        .layer(from_fn_with_state(app.clone(), idempotency::once))
        .layer(from_fn_with_state(app.clone(), layer::on_its_way))
        .layer(from_fn_with_state(app.clone(), layer::surround))
        .with_state(app)
}

/// The description of all of them.
pub(crate) fn description() -> String {
    let (_, mut description) = table().split_for_parts();
    who_may(&mut description);
    for (path, item) in &mut description.paths.paths {
        name_operations(path, item);
        for operation in [&mut item.post, &mut item.put, &mut item.delete] {
            let edits = path != "/api/v1/flows/check";
            if let Some(operation) = operation.as_mut().filter(|one| edits && administers(one)) {
                conditional(operation);
            }
        }
    }
    description.to_pretty_json().expect("the description is plain data")
}

/// By the cookie of a session or by an API key. A request with a cookie that changes something also
/// needs our own `Origin`, as browsers send it.
fn who_may(description: &mut OpenApi) {
    let cookie = ApiKeyValue::new(SESSION_COOKIE);
    let schemes = description.components.get_or_insert_default();
    schemes.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    schemes.add_security_scheme("key", SecurityScheme::Http(bearer));
    let none: [&str; 0] = [];
    description.security =
        Some(["session", "key"].map(|name| SecurityRequirement::new(name, none)).into());
}

/// A name that no other operation has, for programs that make a client of the description.
fn name_operations(path: &str, item: &mut PathItem) {
    let words = path.trim_start_matches("/api/v1/").split(|c: char| !c.is_ascii_alphanumeric());
    let place = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    for (method, operation) in [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ] {
        if let Some(operation) = operation {
            operation.operation_id = Some(format!("{method}_{place}"));
        }
    }
}

fn administers(operation: &Operation) -> bool {
    operation.tags.iter().flatten().any(|tag| tag == "administration")
}

/// Every edit of the configuration may name the version that it is based on.
fn conditional(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let base = ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The ETag of what the edit is based on."))
        .schema(Some(text()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(base));
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            let version = HeaderBuilder::new().schema(Some(text())).build();
            response.headers.insert("ETag".to_owned(), RefOr::T(version));
        }
    }
    let stale = Response::new("stale: somebody edited the configuration meanwhile");
    responses.entry("412".to_owned()).or_insert(RefOr::T(stale));
}
