//! What an agent may know of the customer on their desk: customers do not repeat themselves.

use model::view::ContactView;
use model::{AgentId, CallId, Topic};
use store::ListedCall;

use crate::app::App;
use crate::guard::Caller;
use crate::ports::TopicData;
use crate::problem::Problem;
use crate::routes::calls::visible;

/// The number of the contact on somebody's desk: whoever speaks with a customer, or is about to,
/// may know what was done for them.
pub(crate) fn on_desk(app: &App, caller: &Caller) -> Option<String> {
    contact_on_desk(app, caller)?.caller.map(|number| number.to_string())
}

fn contact_on_desk(app: &App, caller: &Caller) -> Option<ContactView> {
    let agent = AgentId::of_user(caller.user.as_ref()?.id);
    let topic = Topic::Agent(agent);
    let TopicData::Agent(view) = app.floor.latest(caller.tenant, topic)?.data else { return None };
    let offered = view.offer.as_ref().map(|offer| &offer.contact);
    let talking = view.call.as_ref().map(|call| &call.contact);
    let over = view.wrap_up.as_ref().map(|wrap_up| &wrap_up.contact);
    talking.or(over).or(offered).cloned()
}

/// A call that this caller may read of: one they may see, or the one on their desk, also that of a
/// colleague who asked them in, and those of its customer, which they may not hear.
pub(crate) async fn known(
    app: &App,
    caller: &Caller,
    call: CallId,
) -> Result<(ListedCall, MayHear), Problem> {
    let hidden = match visible(app, caller, call).await {
        Ok(found) => return Ok((found, true)),
        Err(hidden) => hidden,
    };
    let found = app.db(caller).call(call).await?;
    let contact = contact_on_desk(app, caller);
    let number = contact.as_ref().and_then(|contact| contact.caller.as_ref());
    let theirs = contact.as_ref().is_some_and(|contact| contact.call == call)
        || found.number.is_some() && found.number == number.map(ToString::to_string);
    if theirs { Ok((found, false)) } else { Err(hidden) }
}

/// Whether the recordings may be heard too.
pub(crate) type MayHear = bool;
