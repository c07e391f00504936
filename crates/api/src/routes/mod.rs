//! One file per resource.

pub(crate) mod agent;
pub(crate) mod callbacks;
pub(crate) mod calls;
pub(crate) mod company;
pub(crate) mod consult;
pub(crate) mod customer;
pub(crate) mod desk;
pub(crate) mod flows;
pub(crate) mod history;
pub(crate) mod lists;
pub(crate) mod me;
pub(crate) mod named;
pub(crate) mod numbers;
pub(crate) mod phones;
pub(crate) mod prompts;
pub(crate) mod queues;
pub(crate) mod recordings;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod system;
pub(crate) mod users;
pub(crate) mod words;
