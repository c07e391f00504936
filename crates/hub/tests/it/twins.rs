//! Two tenants with the same names, people, queues and numbers in one house: a call reaches the one
//! it names, and the other never hears of it.

use model::config::Device;
use model::event::AgentState;
use model::id::TenantId;
use model::input::Command;
use model::media::{MediaCommand, MediaEvent};
use model::refusal::Refusal;
use model::sip::{LegCause, SipCommand};
use model::time::Timestamp;

use crate::house::{House, desc};

/// Rings `uri` and fails unless the call is one of `tenant` alone, under the number `dialled`.
async fn reaches(
    house: &mut House,
    twins: [TenantId; 2],
    tenant: TenantId,
    uri: &str,
    dialled: &str,
) {
    let leg = house.ring(uri).await;
    house.turn_to(tenant).await;
    let row = house.own_call_until(leg).await;
    assert_eq!(row.dialled.as_str(), dialled, "{uri}");
    let config = house.db().config().await.expect("a configuration");
    assert!(config.flows.contains_key(&row.flow), "{uri}: a flow of its own");
    for other in twins.into_iter().filter(|twin| *twin != tenant) {
        house.turn_to(other).await;
        assert_eq!(house.own_call(leg).await, None, "{uri}");
    }
}

#[tokio::test]
async fn a_call_reaches_the_tenant_it_names_and_otherwise_the_oldest_claim() {
    let (mut house, twins) = House::twins().await;
    let [one, two] = twins;
    reaches(&mut house, twins, one, "100@one.example", "100").await;
    reaches(&mut house, twins, two, "100@two.example", "100").await;
    reaches(&mut house, twins, two, "+100@TWO.example.", "100").await;
    for host in ["192.0.2.1", "localhost", "elsewhere.example"] {
        reaches(&mut house, twins, one, &format!("100@{host}"), "100").await;
    }
    assert_eq!(house.refused("999@two.example").await, 404);
    assert_eq!(house.refused("999").await, 404);

    // What only the twin has is not there, and it has no way to the twin's.
    house.turn_to(two).await;
    let number = |text: &str| text.parse::<model::DialString>().expect("dialable");
    house.edit(|draft| _ = draft.config.numbers.remove(&number("200"))).await;
    assert_eq!(house.refused("200@two.example").await, 404);
    reaches(&mut house, twins, one, "200@one.example", "200").await;
    reaches(&mut house, twins, one, "200", "200").await;

    // Whoever lets go of a number leaves it to the next, and is the last when coming back.
    house.turn_to(one).await;
    let mut flow = None;
    house.edit(|draft| flow = draft.config.numbers.remove(&number("100"))).await;
    assert_eq!(house.refused("100@one.example").await, 404);
    reaches(&mut house, twins, two, "100", "100").await;
    house.turn_to(one).await;
    let flow = flow.expect("it had the number");
    house.edit(|draft| _ = draft.config.numbers.insert(number("100"), flow)).await;
    reaches(&mut house, twins, two, "100", "100").await;
    reaches(&mut house, twins, one, "100@one.example", "100").await;

    // A domain that is given back is a host like any other.
    house.turn_to(one).await;
    house.set_domain(None).await;
    reaches(&mut house, twins, two, "100@one.example", "100").await;
    house.turn_to(two).await;
    house.set_domain(Some("one.example")).await;
    reaches(&mut house, twins, two, "100@one.example", "100").await;
    assert_eq!(house.refused("200@one.example").await, 404);
    house.stop().await;
}

/// A telephone calls the numbers of its own company, whatever others have, and the house.
#[tokio::test]
async fn a_telephone_reaches_its_own_company_alone() {
    let (mut house, [_, two]) = House::twins().await;
    house.turn_to(two).await;
    let config = house.db().config().await.expect("a configuration");
    let agent = *config.agents.keys().next().expect("an agent");
    let device = store::fresh_id(Timestamp::from_micros(3));
    let number = |text: &str| text.parse::<model::DialString>().expect("dialable");
    house
        .edit(|draft| {
            draft.config.numbers.remove(&number("200"));
            let agent = draft.config.agents.get_mut(&agent).expect("an agent");
            agent.device = Device::Phone { device };
        })
        .await;
    let leg = house.dialled_by(device, "+100").await;
    house.answered(leg).await;
    assert_eq!(house.own_call_until(leg).await.dialled.as_str(), "100");
    // The twin has one of that number.
    let leg = house.dialled_by(device, "200").await;
    house.media_until(|command| matches!(command, MediaCommand::Prepare { .. })).await;
    house.media_event(MediaEvent::Prepared { leg, local: desc() }).await;
    assert_eq!(house.refusal_of(leg).await, 404);

    let leg = house.dialled_by(device, "*61").await;
    house.answered(leg).await;
    house.view_until(agent, |view| view.state == AgentState::NoDevice).await;
    let ends =
        |command: &SipCommand| matches!(command, SipCommand::Hangup { leg: of, .. } if *of == leg);
    house.sip_until(ends).await;
    assert_eq!(house.own_call(leg).await, None, "it is no call of a customer");
    house.stop().await;
}

#[tokio::test]
async fn agents_are_offered_calls_of_their_own_tenant_and_a_crash_mixes_nothing_up() {
    let (mut house, [one, two]) = House::twins().await;
    for tenant in [one, two] {
        house.turn_to(tenant).await;
        house.agent_ready().await;
    }
    let leg = house.ring("100@two.example").await;
    let offered = house.agent_until(|view| view.offer.is_some()).await.offer.expect("asked for");
    house.command(Command::Accept { offer: offered.offer }).await.expect("accepted");
    let call = house.own_call_until(leg).await.call;
    assert_eq!(call, offered.contact.call);
    house.turn_to(one).await;
    let idle = house.agent_until(|view| view.state == AgentState::Ready).await;
    assert_eq!(idle.offer, None);
    let nowhere = (store::fresh_id(Timestamp::default()), store::fresh_id(Default::default()));
    for (offer, call) in [(offered.offer, call), nowhere] {
        let reason = "busy".to_owned();
        let disposition = "answered".to_owned();
        for command in [
            Command::Accept { offer },
            Command::Decline { offer, reason },
            Command::Hold { call },
            Command::Resume { call },
            Command::Hangup { call },
            Command::ExtendWrapUp { call, by_ms: 5_000 },
            Command::WrapUp { call, disposition, resolved: true, note: String::new() },
        ] {
            // The twin's ids are like those that nobody has.
            let told = format!("{command:?}");
            assert_eq!(house.command(command).await, Err(Refusal::NotFound), "{told}");
        }
    }
    assert!(house.db().call(call).await.is_err(), "the twin does not know the call");

    let mut house = house.crash_and_start().await;
    assert!(house.db().call(call).await.is_err());
    house.turn_to(two).await;
    let row = house.row_until(call, |row| row.ended_at.is_some()).await;
    assert_eq!(row.cause, Some(LegCause::NodeFailure));
    // The plan is read anew: the domains lead where they did.
    let leg = house.ring("100@two.example").await;
    house.own_call_until(leg).await;
    house.stop().await;
}
