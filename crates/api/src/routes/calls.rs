//! Call records: the list, and one call with its story.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use model::config::TenantConfig;
use model::event::CallOutcome;
use model::{AgentId, CallId, QueueId, Recorded, TenantId, Timestamp};
use report::ladder::{Actor, Detail, Ladder, MarkKind, SegmentKind};
use report::{CallFold, Cursor, SoFar};
use serde::{Deserialize, Serialize};
use store::{CallFilter, CallPlace, ListedCall, Role};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::{At, seconds};
use crate::extract::{Asked, Id};
use crate::guard::{Caller, Signed};
use crate::page::{Page, cursor, limit, place};
use crate::problem::Problem;
use crate::routes::customer::{known, on_desk};
use crate::routes::named::{
    Choice, FactRow, Named, agent_named, disposition, fact_row, queue_named, word,
};
use crate::routes::recordings::{self, RecordingRow};
use crate::routes::words::{
    ConsentName, LaneName, MarkName, OutcomeName, RunningName, SegmentName,
};

/// Which calls.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallsQuery {
    /// Rows, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this queue.
    queue: Option<String>,
    /// Of this agent.
    agent: Option<String>,
    /// That ended so.
    #[param(value_type = Option<OutcomeName>)]
    outcome: Option<String>,
    /// That started at or after, RFC 3339.
    from: Option<String>,
    /// That started before, RFC 3339.
    until: Option<String>,
    /// Whose caller's number begins so.
    q: Option<String>,
    /// Whose caller has this number, and no other. Of the contact on one's desk these are all
    /// calls, whoever handled them.
    caller: Option<String>,
}

/// The record of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallRow {
    id: String,
    started_at: At,
    ended_at: Option<At>,
    /// The caller's number as shown.
    caller: Option<String>,
    dialled: String,
    queue: Option<Named>,
    agent: Option<Named>,
    outcome: Option<OutcomeName>,
    waited_s: Option<f64>,
    talk_s: Option<f64>,
    hold_s: Option<f64>,
    wrap_up_s: Option<f64>,
    disposition: Option<Choice>,
    resolved: Option<bool>,
    recorded: bool,
    /// Whether it goes on.
    live: bool,
    /// What of it runs now. The lengths beside it end where this begins.
    running: Option<RunningRow>,
}

/// What of a live call runs now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunningRow {
    /// `waiting` adds to `waited_s`, `talking` to `talk_s`, `hold` to `hold_s`.
    what: RunningName,
    since: At,
}

/// A call with its story.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallDetail {
    #[serde(flatten)]
    call: CallRow,
    language: String,
    consent: ConsentName,
    /// What the caller chose and typed.
    facts: Vec<FactRow>,
    /// What the agents wrote.
    note: Option<String>,
    flow: FlowOfCall,
    ladder: LadderRow,
    recordings: Vec<RecordingRow>,
}

/// The flow the call began in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowOfCall {
    id: String,
    name: String,
    version: u64,
}

/// What everybody did beside each other.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LadderRow {
    start_at: At,
    end_at: Option<At>,
    lanes: Vec<LaneRow>,
    marks: Vec<MarkRow>,
}

/// One actor's line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LaneRow {
    lane: LaneName,
    label: String,
    agent_id: Option<String>,
    segments: Vec<SegmentRow>,
}

/// A stretch of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentRow {
    kind: SegmentName,
    label: String,
    start_at: At,
    end_at: Option<At>,
    /// How it ended.
    detail: Option<String>,
}

/// A point in time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MarkRow {
    at: At,
    kind: MarkName,
    label: String,
}

/// Calls, newest first. An agent sees the calls they handled.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", params(CallsQuery),
    responses((status = 200, body = Page<CallRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Signed(caller): Signed,
    Asked(query): Asked<CallsQuery>,
) -> Result<Json<Page<CallRow>>, Problem> {
    let rows = limit(query.limit)?;
    let on_desk = on_desk(&app, &caller);
    let Some(filter) = filter(&caller, &query, on_desk.as_deref())? else {
        return Ok(Json(Page::whole(Vec::new())));
    };
    let mut calls = app.db(&caller).calls(&filter, rows + 1).await?;
    let more = calls.len() > rows as usize;
    calls.truncate(rows as usize);
    let next_cursor =
        calls.last().filter(|_| more).map(|last| cursor(&(last.row.started_at, last.row.call)));
    let config = app.config(caller.tenant).await?;
    let live = calls.iter().filter(|call| call.row.ended_at.is_none());
    let live: Vec<CallId> = live.map(|call| call.row.call).collect();
    let events = app.db(&caller).events_of_calls(&live).await?;
    let mut so_far = so_far(caller.tenant, &events);
    let items = calls.into_iter().map(|call| {
        let so_far = so_far.remove(&call.row.call);
        row(&config, call, so_far)
    });
    let items = items.collect();
    Ok(Json(Page { items, next_cursor }))
}

/// The filter of a query, narrowed to what this caller may see; `None` when that is nothing.
fn filter(
    caller: &Caller,
    query: &CallsQuery,
    on_desk: Option<&str>,
) -> Result<Option<CallFilter>, Problem> {
    let time = |text: &Option<String>, pointer: &str| -> Result<Option<Timestamp>, Problem> {
        let read = |text: &String| {
            At::parse(text).ok_or_else(|| {
                let detail = "Expected a time like 2026-11-22T09:30:00Z.";
                Problem::bad_request("bad_time", detail).at(pointer)
            })
        };
        text.as_ref().map(read).transpose()
    };
    let agent: Option<AgentId> = id(query.agent.as_deref(), "/agent")?;
    let queue: Option<QueueId> = id(query.queue.as_deref(), "/queue")?;
    let outcome = query.outcome.as_deref().map(outcome).transpose()?;
    let own = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let number = query.caller.clone().filter(|number| !number.is_empty());
    let theirs = number.is_some() && number.as_deref() == on_desk;
    let agent = match (caller.role, agent, own) {
        (Role::Agent, asked, _) if theirs => asked,
        (Role::Agent, _, None) => return Ok(None),
        (Role::Agent, Some(asked), Some(own)) if asked != own => return Ok(None),
        (Role::Agent, _, own) => own,
        (_, asked, _) => asked,
    };
    let after: Option<(Timestamp, CallId)> = query.cursor.as_deref().map(place).transpose()?;
    Ok(Some(CallFilter {
        queue,
        agent,
        outcome,
        from: time(&query.from, "/from")?,
        until: time(&query.until, "/until")?,
        caller_prefix: query.q.clone().filter(|prefix| !prefix.is_empty()),
        caller: number,
        after: after.map(|(started_at, call)| CallPlace { started_at, call }),
    }))
}

fn id<T: std::str::FromStr>(text: Option<&str>, pointer: &str) -> Result<Option<T>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|_| Problem::bad_request("bad_id", "This is no id.").at(pointer))
    };
    text.filter(|text| !text.is_empty()).map(read).transpose()
}

fn outcome(text: &str) -> Result<CallOutcome, Problem> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
        let detail = "Expected handled, abandoned, left_in_flow, flow_ended, refused or failed.";
        Problem::bad_request("bad_value", detail).at("/outcome")
    })
}

/// A call that this caller may see.
pub(crate) async fn visible(
    app: &App,
    caller: &Caller,
    call: CallId,
) -> Result<ListedCall, Problem> {
    let found = app.db(caller).call(call).await?;
    let own = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    if caller.role == Role::Agent && (own.is_none() || found.row.agent != own) {
        return Err(Problem::not_found());
    }
    Ok(found)
}

/// One call with what was said, typed and done.
#[utoipa::path(get, path = "/api/v1/calls/{call}", tag = "calls", params(("call" = String, Path)),
    responses((status = 200, body = CallDetail)))]
pub(crate) async fn show(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<Json<CallDetail>, Problem> {
    let (found, may_hear) = known(&app, &caller, call).await?;
    let (db, config) = (app.db(&caller), app.config(caller.tenant).await?);
    let events = db.call_events(call).await?;
    let ladder = report::ladder(&events).map_or_else(
        || LadderRow {
            start_at: At(found.row.started_at),
            end_at: found.row.ended_at.map(At),
            lanes: Vec::new(),
            marks: Vec::new(),
        },
        |ladder| draw(&config, &found, ladder),
    );
    let notes = db.notes(call).await?.into_iter().map(|note| note.text);
    let notes: Vec<String> = notes.filter(|text| !text.is_empty()).collect();
    let recordings = if may_hear { db.recordings(call).await? } else { Vec::new() };
    let flow_name = config.flows.get(&found.row.flow).map(|flow| flow.name.clone());
    Ok(Json(CallDetail {
        language: found.row.language.clone(),
        consent: found.row.consent.into(),
        facts: db.facts(call).await?.into_iter().map(fact_row).collect(),
        note: Some(notes.join("\n\n")).filter(|text| !text.is_empty()),
        flow: FlowOfCall {
            id: found.row.flow.to_string(),
            name: flow_name.unwrap_or_else(|| found.row.flow.to_string()),
            version: found.row.flow_version,
        },
        ladder,
        recordings: recordings::rows(&app, recordings).await,
        call: row(&config, found, so_far(caller.tenant, &events).remove(&call)),
    }))
}

/// The lengths of the calls that go on, from their events.
fn so_far(tenant: TenantId, events: &[Recorded]) -> BTreeMap<CallId, SoFar> {
    let mut fold = CallFold::new(Cursor::new(tenant));
    for event in events {
        fold.apply(event);
    }
    let live = fold.open().filter(|record| record.live());
    live.map(|record| (record.call, SoFar::of(record))).collect()
}

fn row(config: &TenantConfig, listed: ListedCall, so_far: Option<SoFar>) -> CallRow {
    let call = listed.row;
    // What was saved of a live call names only what is over.
    let so_far = so_far.unwrap_or(SoFar {
        waited_us: call.waited_us,
        talk_us: call.talk_us,
        hold_us: call.hold_us,
        running: None,
    });
    let talked = |micros: i64| call.agent.map(|_| seconds(micros));
    CallRow {
        id: call.call.to_string(),
        started_at: At(call.started_at),
        ended_at: call.ended_at.map(At),
        caller: listed.number,
        dialled: call.dialled.to_string(),
        queue: call.queue.map(|id| queue_named(config, id)),
        agent: call.agent.map(|id| agent_named(config, id)),
        outcome: call.outcome.map(OutcomeName::from),
        waited_s: call.queue.map(|_| seconds(so_far.waited_us)),
        talk_s: talked(so_far.talk_us),
        hold_s: talked(so_far.hold_us),
        wrap_up_s: talked(call.wrap_us),
        disposition: call.disposition.as_deref().map(|code| disposition(config, code)),
        resolved: call.resolved,
        recorded: call.recorded,
        live: call.ended_at.is_none(),
        running: so_far
            .running
            .map(|(what, since)| RunningRow { what: what.into(), since: At(since) }),
    }
}

fn draw(config: &TenantConfig, call: &ListedCall, ladder: Ladder) -> LadderRow {
    let lane = |lane: report::ladder::Lane| {
        let (kind, label, agent) = match lane.actor {
            Actor::Customer => (LaneName::Customer, call.number.clone().unwrap_or_default(), None),
            Actor::Flow => {
                let flow = config.flows.get(&call.row.flow);
                (LaneName::Flow, flow.map(|flow| flow.name.clone()).unwrap_or_default(), None)
            }
            Actor::Queue => {
                let queue = call.row.queue.map(|id| queue_named(config, id).name);
                (LaneName::Queue, queue.unwrap_or_default(), None)
            }
            Actor::Agent(id) => {
                (LaneName::Agent, agent_named(config, id).name, Some(id.to_string()))
            }
        };
        let segments = lane.segments.into_iter().map(|segment| segment_row(config, segment));
        LaneRow { lane: kind, label, agent_id: agent, segments: segments.collect() }
    };
    LadderRow {
        start_at: At(ladder.start_at),
        end_at: ladder.end_at.map(At),
        lanes: ladder.lanes.into_iter().map(lane).collect(),
        marks: ladder.marks.into_iter().map(|mark| mark_row(config, mark)).collect(),
    }
}

fn segment_row(config: &TenantConfig, segment: report::ladder::Segment) -> SegmentRow {
    let (kind, label) = match segment.kind {
        SegmentKind::Ring => (SegmentName::Ring, String::new()),
        SegmentKind::Connected => (SegmentName::Connected, String::new()),
        SegmentKind::Node(name) => (SegmentName::Node, name),
        SegmentKind::Waiting(queue) => (SegmentName::Waiting, queue_named(config, queue).name),
        SegmentKind::Offered => (SegmentName::Offered, String::new()),
        SegmentKind::Consult => (SegmentName::Consult, String::new()),
        SegmentKind::Talking => (SegmentName::Talking, String::new()),
        SegmentKind::Hold => (SegmentName::Hold, String::new()),
        SegmentKind::Lost => (SegmentName::Lost, String::new()),
        SegmentKind::WrapUp => (SegmentName::WrapUp, String::new()),
    };
    let detail = segment.detail.map(|detail| match detail {
        Detail::Queue(outcome) => word(&outcome),
        Detail::Offer(outcome) => word(&outcome),
        Detail::Consult(outcome) => word(&outcome),
        Detail::Leg(cause) => word(&cause),
        Detail::Disposition(code) => disposition(config, &code).label,
    });
    SegmentRow {
        kind,
        label,
        start_at: At(segment.start_at),
        end_at: segment.end_at.map(At),
        detail,
    }
}

fn mark_row(config: &TenantConfig, mark: report::ladder::Mark) -> MarkRow {
    let (kind, label) = match mark.kind {
        MarkKind::Chosen { key, .. } => (MarkName::Chosen, key.to_string()),
        MarkKind::Collected { variable } => (MarkName::Collected, variable),
        MarkKind::Consent(consent) => (MarkName::Consent, word(&consent)),
        MarkKind::RecordingStarted(_) => (MarkName::RecordingStarted, String::new()),
        MarkKind::RecordingEnded(_) => (MarkName::RecordingEnded, String::new()),
        MarkKind::WrapUpExtended(agent) => {
            (MarkName::WrapUpExtended, agent_named(config, agent).name)
        }
        MarkKind::CallbackListed(queue) => {
            (MarkName::CallbackListed, queue_named(config, queue).name)
        }
        MarkKind::HandedOver(agent) => (MarkName::HandedOver, agent_named(config, agent).name),
        MarkKind::Redirected(dialled) => (MarkName::Redirected, dialled.to_string()),
        MarkKind::Transferred(queue) => (MarkName::Transferred, queue_named(config, queue).name),
    };
    MarkRow { at: At(mark.at), kind, label }
}
