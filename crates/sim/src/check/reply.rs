//! Every command that names a request gets exactly one reply, in the same step, and no other step
//! replies to anything.

use model::{Effect, Input, Output};

use super::{Check, Settled, Verdict, ensure};

#[derive(Debug)]
pub(super) struct OneReply;

impl Check for OneReply {
    fn name(&self) -> &'static str {
        "one reply"
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let asked = match settled.input {
            Input::Command { request, .. } => *request,
            _ => None,
        };
        let replies: Vec<_> = settled
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Effect(Effect::Reply { request, .. }) => Some(*request),
                _ => None,
            })
            .collect();
        let expected: Vec<_> = asked.into_iter().collect();
        ensure(replies == expected, || format!("asked {expected:?}, replied {replies:?}"))
    }
}
