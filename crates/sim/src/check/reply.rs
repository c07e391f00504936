//! Every command that names a request gets exactly one reply, in the same step, and no other step
//! replies to anything. A wish of a telephone gets one too, at once or later, while its leg is
//! there.

use std::collections::BTreeSet;

use model::{Effect, Input, LegId, Output};

use super::{Check, Settled, Verdict, ensure};

#[derive(Debug, Default)]
pub(super) struct OneReply {
    /// Wishes of telephones that wait for their answers.
    wishes: BTreeSet<(LegId, u32)>,
}

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
        ensure(replies == expected, || format!("asked {expected:?}, replied {replies:?}"))?;
        match settled.input {
            Input::Referred { leg, refer, .. } => _ = self.wishes.insert((*leg, *refer)),
            Input::LegEnded { leg, .. } => self.wishes.retain(|(of, _)| of != leg),
            _ => {}
        }
        for output in settled.outputs {
            match output {
                Output::Effect(Effect::Refer { leg, refer, .. }) => {
                    let asked = self.wishes.remove(&(*leg, *refer));
                    ensure(asked, || format!("wish {refer} of {leg:?} is answered and was not"))?;
                }
                Output::Effect(Effect::Hangup { leg, .. }) => {
                    let open = self.wishes.iter().find(|(of, _)| of == leg);
                    ensure(open.is_none(), || format!("{leg:?} is hung up before {open:?}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finished(&mut self, _: &Settled<'_>) -> Verdict {
        ensure(self.wishes.is_empty(), || format!("not answered: {:?}", self.wishes))
    }
}
