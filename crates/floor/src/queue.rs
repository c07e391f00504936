//! Queues as indexes: who waits, who is ready, in order.
//!
//! Invariant: a waiting contact is in exactly one class of one line, and an agent who is ready is
//! in every line and class that would take them. So an event costs a few ordered look-ups per
//! queue of the agent, whatever the number of agents and contacts: nothing is ever scanned, except
//! the ready agents of a line once when a new combination of skills is asked for.

use std::collections::{BTreeMap, BTreeSet};

use model::{AgentId, CallId, QueueEntryId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent::Standing;

/// Skills with the least proficiency that a contact asks for.
pub(crate) type Skills = BTreeMap<String, u8>;

/// A place among those who wait; smaller goes first, in one queue and across queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The negated priority, so that a higher one sorts first.
    rank: i32,
    pub(crate) queued_at: Timestamp,
    pub(crate) entry: QueueEntryId,
    pub(crate) call: CallId,
}

impl Place {
    pub(crate) fn new(
        priority: i32,
        queued_at: Timestamp,
        entry: QueueEntryId,
        call: CallId,
    ) -> Self {
        Self { rank: priority.saturating_neg(), queued_at, entry, call }
    }
}

/// A place among those who are ready: since when, then the id. Smaller is chosen first.
pub(crate) type Turn = (Timestamp, AgentId);

/// Contacts of one queue that ask for the same skills, and the ready agents who have them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) skills: Skills,
    /// Contacts that can be offered: those with a ringing offer are not here.
    pub(crate) waiting: BTreeSet<Place>,
    pub(crate) ready: BTreeSet<Turn>,
}

/// One queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Everybody who waits, those being offered included, by the time they came.
    pub(crate) present: BTreeSet<(Timestamp, QueueEntryId)>,
    pub(crate) classes: BTreeMap<String, Class>,
    pub(crate) ready: BTreeSet<Turn>,
    pub(crate) busy: BTreeSet<AgentId>,
}

impl Line {
    /// The class that asks for these skills; a new one takes its ready agents from the line.
    pub(crate) fn class_mut<'a>(
        &mut self,
        name: String,
        asked: Skills,
        skills_of: impl Fn(AgentId) -> Option<&'a Skills>,
    ) -> &mut Class {
        let Self { classes, ready, .. } = self;
        classes.entry(name).or_insert_with(|| {
            let fits = |turn: &&Turn| holds(skills_of(turn.1), &asked);
            let ready = ready.iter().filter(fits).copied().collect();
            Class { skills: asked, waiting: BTreeSet::new(), ready }
        })
    }

    /// Moves an agent from one standing to another in the line and in all its classes.
    pub(crate) fn stand(
        &mut self,
        agent: AgentId,
        skills: Option<&Skills>,
        before: Standing,
        now: Standing,
    ) {
        match before {
            Standing::Ready(since) => {
                self.ready.remove(&(since, agent));
                for class in self.classes.values_mut() {
                    class.ready.remove(&(since, agent));
                }
            }
            Standing::Busy => {
                self.busy.remove(&agent);
            }
            Standing::Away => {}
        }
        match now {
            Standing::Ready(since) => {
                self.ready.insert((since, agent));
                for class in self.classes.values_mut() {
                    if holds(skills, &class.skills) {
                        class.ready.insert((since, agent));
                    }
                }
            }
            Standing::Busy => {
                self.busy.insert(agent);
            }
            Standing::Away => {}
        }
    }
}

/// The name of a class: the skills in order, so that equal demands share one.
pub(crate) fn class_name(skills: &Skills) -> String {
    let mut name = String::new();
    for (skill, level) in skills {
        name.push_str(skill);
        name.push(':');
        name.push_str(&level.to_string());
        name.push(';');
    }
    name
}

/// Whether somebody with these skills can do what is asked for.
pub(crate) fn holds(skills: Option<&Skills>, asked: &Skills) -> bool {
    asked.iter().all(|(skill, least)| {
        skills.and_then(|skills| skills.get(skill)).is_some_and(|level| level >= least)
    })
}

/// The skills of a queue and of a flow node together: of two levels the higher counts.
pub(crate) fn demand(queue: &Skills, node: &Skills) -> Skills {
    let mut both = queue.clone();
    for (skill, &level) in node {
        let least = both.entry(skill.clone()).or_insert(level);
        *least = level.max(*least);
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skills(list: &[(&str, u8)]) -> Skills {
        list.iter().map(|&(skill, level)| (skill.to_owned(), level)).collect()
    }

    #[test]
    fn demands_join_and_proficiency_counts() {
        let asked = demand(&skills(&[("greek", 3)]), &skills(&[("greek", 5), ("sales", 1)]));
        assert_eq!(asked, skills(&[("greek", 5), ("sales", 1)]));
        assert!(holds(Some(&skills(&[("greek", 5), ("sales", 2)])), &asked));
        assert!(!holds(Some(&skills(&[("greek", 4), ("sales", 2)])), &asked));
        assert!(!holds(None, &asked));
        assert!(holds(None, &Skills::new()));
        assert_eq!(class_name(&asked), "greek:5;sales:1;");
    }
}
