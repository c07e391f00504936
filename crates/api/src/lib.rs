//! The web server's routes: REST, WebSocket, sign-in, OpenAPI and the embedded screens.
//!
//! Read `router` for what there is, `guard` for who may, `problem` for how it refuses. The API
//! decides nothing about calls: commands go to the house ([`Floor`]), data comes from the record.

mod account;
mod app;
mod at;
mod body;
mod client;
mod docs;
mod edit;
mod extract;
mod found;
mod furnish;
mod guard;
mod idempotency;
mod layer;
mod linger;
mod page;
mod pages;
mod ports;
mod problem;
mod router;
mod routes;
mod serve;
mod shape;
mod stay;
mod throttle;
mod wav;
mod ws;

pub use account::check_account;
pub use app::{Parts, StarterSound};
pub use client::{Network, NetworkError};
pub use found::{FlowCheck, NewCompany, found_company};
pub use ports::{
    Change, Check, Floor, FlowFault, Peaks, PhoneOwner, RecordingWav, Sound, SoundFault, TopicData,
    Update,
};
pub use problem::Problem;
pub use serve::{Entry, serve};

/// The whole web server as one service, for [`serve`], which tells it who asks.
pub fn app(parts: Parts) -> axum::Router {
    router::router(app::App::new(parts))
}

/// The description of the API (OpenAPI 3.1, JSON).
#[must_use]
pub fn openapi() -> String {
    router::description()
}
