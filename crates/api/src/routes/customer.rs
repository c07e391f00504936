//! What an agent may know of the customer on their desk: customers do not repeat themselves.

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
    let agent = AgentId::of_user(caller.user.as_ref()?.id);
    let topic = Topic::Agent(agent);
    let TopicData::Agent(view) = app.floor.latest(caller.tenant, topic)?.data else { return None };
    let offered = view.offer.as_ref().map(|offer| &offer.contact);
    let talking = view.call.as_ref().map(|call| &call.contact);
    let over = view.wrap_up.as_ref().map(|wrap_up| &wrap_up.contact);
    let contact = talking.or(over).or(offered)?;
    contact.caller.as_ref().map(ToString::to_string)
}

/// A call that this caller may read of: one they may see, or one of the customer on their desk,
/// which they may not hear.
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
    let theirs = found.number.is_some() && found.number == on_desk(app, caller);
    if theirs { Ok((found, false)) } else { Err(hidden) }
}

/// Whether the recordings may be heard too.
pub(crate) type MayHear = bool;
