//! What an agent's desk needs when it opens.

use axum::Json;
use axum::extract::State;
use model::{AgentId, QueueId, Span, Timestamp, limits};
use report::AgentFold;
use serde::Serialize;
use store::Role;
use utoipa::ToSchema;

use crate::app::App;
use crate::at::{midnight, seconds};
use crate::guard::Signed;
use crate::problem::Problem;
use crate::routes::named::{Choice, Named, queue_named};

/// One live connection watches these and oneself.
const QUEUES_MAX: usize = limits::WS_TOPICS_MAX - 1;

/// The desk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Desk {
    /// What a wrap-up may choose.
    dispositions: Vec<Choice>,
    /// Why one may take a break.
    break_reasons: Vec<Choice>,
    /// The queues I may watch: those I serve, for supervisors all, as many as one live connection
    /// takes.
    queues: Vec<Named>,
    /// All queues: where a customer can be sent.
    transfer_queues: Vec<Named>,
    /// My figures since local midnight.
    today: Today,
}

/// My figures of a day.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Today {
    /// Contacts handled.
    handled: u64,
    /// Time talked, hold left aside.
    talk_s: f64,
    /// Offers that rang in vain.
    missed: u64,
}

/// What my desk needs.
#[utoipa::path(get, path = "/api/v1/desk", tag = "desk", responses((status = 200, body = Desk)))]
pub(crate) async fn show(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<Json<Desk>, Problem> {
    let config = app.config(caller.tenant).await?;
    let choices = |map: &std::collections::BTreeMap<String, String>| {
        let choice =
            |(code, label): (&String, &String)| Choice { code: code.clone(), label: label.clone() };
        map.iter().map(choice).collect()
    };
    let agent = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let seat = agent.and_then(|agent| config.agents.get(&agent));
    let mine = |id: &QueueId| seat.is_some_and(|seat| seat.queues.contains(id));
    let may = |id: &&QueueId| caller.role >= Role::Supervisor || mine(id);
    let by_name = |mut queues: Vec<Named>| {
        queues.sort_by(|a, b| a.name.cmp(&b.name));
        queues
    };
    let named = |id: &QueueId| queue_named(&config, *id);
    let mut queues = by_name(config.queues.keys().filter(may).map(named).collect());
    queues.truncate(QUEUES_MAX);
    let transfer_queues = by_name(config.queues.keys().map(named).collect());
    let today = match agent.filter(|_| seat.is_some()) {
        Some(agent) => {
            let start = midnight(app.now(), &config.zone);
            today(&app, caller.tenant, agent, start).await?
        }
        None => Today::default(),
    };
    Ok(Json(Desk {
        dispositions: choices(&config.dispositions),
        break_reasons: choices(&config.break_reasons),
        queues,
        transfer_queues,
        today,
    }))
}

async fn today(
    app: &App,
    tenant: model::TenantId,
    agent: AgentId,
    start: Timestamp,
) -> Result<Today, Problem> {
    // The same fold as reports use: every number has one definition.
    let mut fold = AgentFold::default();
    // A conversation of yesterday may have been wrapped up today; what is too much falls out below.
    let since = start - Span::from_millis(2 * limits::WRAP_UP_MS_MAX);
    for recorded in app.store.system(tenant).events_of_contacts(agent, since).await? {
        fold.apply(&recorded);
    }
    let facts = fold.figures(agent, start, start + Span::from_secs(2 * 86_400));
    Ok(Today {
        handled: facts.handling.handled,
        talk_s: seconds(facts.handling.talk_us),
        missed: facts.missed,
    })
}
