//! A caller types a secret: the flow goes on, the agent sees how many digits there were, and
//! nothing that is kept holds one of them.

use model::event::Event;
use model::input::Command;
use model::media::MediaEvent;

use crate::house::{BUILD, House};

/// Digits that stand side by side in nothing else. The wrong one is too short.
const WRONG: &str = "73";
const PIN: &str = "918273645546";

/// Everything is typed in one go: the choice of the menu, a secret that is too short, the secret
/// itself and its end, before the cell has heard of the first key.
#[tokio::test]
async fn the_digits_of_a_secret_are_kept_nowhere() {
    let mut house = House::start().await;
    house.agent_ready().await;
    let leg = house.ring("300").await;
    house.kept(|event| matches!(event, Event::NodeEntered { node, .. } if node == "menu")).await;
    for digit in format!("1{WRONG}#{PIN}#").chars() {
        house.media_event(MediaEvent::Digit { leg, digit }).await;
    }
    let view = house.agent_until(|view| view.offer.is_some()).await;
    let offer = view.offer.expect("asked for");
    let (menu, pin) = match offer.contact.facts.as_slice() {
        [menu, pin] => (menu, pin),
        facts => panic!("{facts:?}"),
    };
    assert_eq!((menu.value.as_str(), menu.secret), ("1", None));
    assert_eq!((pin.label.as_str(), pin.value.as_str()), ("PIN", "••••••••••••"));
    assert!(pin.secret.is_some(), "something stands for it");
    let call = offer.contact.call;
    assert_eq!(house.facts_until(call, 2).await, offer.contact.facts);
    house.command(Command::Accept { offer: offer.offer }).await.expect("accepted");
    // Typed at the agent: the floor has no use for it, and of such a call it is not told.
    for digit in PIN.chars() {
        house.media_event(MediaEvent::Digit { leg, digit }).await;
    }
    house.kept(|event| matches!(event, Event::Connected { .. })).await;
    let shown = serde_json::to_string(&view_of(&house).await).expect("serialises");
    let events = house.db().events(1, 10_000).await.expect("readable");
    let journal = serde_json::to_string(&events).expect("serialises");
    let (segments, key, dir) = house.stop_and_read_flight().await;
    let mut flight = String::new();
    for segment in &segments {
        flight.push_str(&hub::plain_text(segment, &key).expect("readable"));
    }
    let typed: Vec<&str> = flight.matches("\"digit\":{").collect();
    assert_eq!(typed.len(), 1, "of all keys the menu's alone is an input");
    assert_eq!(flight.matches("\"secret_key\":").count(), WRONG.len() + PIN.len() + 2);
    let rows = std::fs::read(dir.path().join("antiphon.db")).expect("the record");
    let rows = String::from_utf8_lossy(&rows).into_owned();
    for (place, text) in
        [("view", &shown), ("journal", &journal), ("flight log", &flight), ("record", &rows)]
    {
        assert!(!text.contains(PIN), "the {place} holds the secret");
    }
    for segment in &segments {
        let same = hub::replay(segment, &key, BUILD, |_| {}).expect("readable");
        assert!(same.difference.is_none(), "{:?}", same.difference);
    }
}

async fn view_of(house: &House) -> model::view::AgentView {
    house.agent_until(|view| view.call.is_some()).await
}
