//! The API as its users see it: requests in, responses out, a real WebSocket, and a house whose
//! floor is played by the test.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod admin;
mod auth;
mod calls;
mod company;
mod desk;
mod foreign;
mod house;
mod live;
mod matrix;
mod openapi;
mod revoked;
