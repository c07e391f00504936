//! Which clips the media plane holds: those that the newest configurations name, and no others.
//!
//! Invariant: a clip is loaded before a cell learns of it, and let go only after every cell that
//! could name it has learned better.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::id::TenantId;
use model::media::ClipId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Clips {
    /// Held by the media plane for us, once each.
    held: HashSet<ClipId>,
    named: HashMap<TenantId, BTreeSet<ClipId>>,
}

impl Clips {
    pub(crate) fn holds(&self, clip: ClipId) -> bool {
        self.held.contains(&clip)
    }

    /// The media plane took a clip.
    pub(crate) fn took(&mut self, clip: ClipId) {
        self.held.insert(clip);
    }

    /// A tenant's newest configuration names exactly these. Gives what nobody names any more: it
    /// counts as let go from now on.
    pub(crate) fn name(&mut self, tenant: TenantId, clips: BTreeSet<ClipId>) -> Vec<ClipId> {
        self.named.insert(tenant, clips);
        let named: HashSet<ClipId> = self.named.values().flatten().copied().collect();
        let gone: Vec<ClipId> = self.held.difference(&named).copied().collect();
        self.held.retain(|clip| named.contains(clip));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::IdMint;
    use model::time::Timestamp;

    #[test]
    fn a_clip_is_let_go_with_the_last_tenant_that_names_it() {
        let mut mint = IdMint::new(1);
        let [one, two] = [(); 2].map(|()| mint.mint(Timestamp::from_micros(1)));
        let clip = |n| ClipId::from_digest([n; 32]);
        let mut clips = Clips::default();
        for n in 1..=3 {
            clips.took(clip(n));
        }
        assert_eq!(clips.name(one, [clip(1), clip(2)].into()), [clip(3)]);
        assert_eq!(clips.name(two, [clip(1)].into()), []);
        assert_eq!(clips.name(one, BTreeSet::new()), [clip(2)]);
        assert!(clips.holds(clip(1)) && !clips.holds(clip(2)));
        assert_eq!(clips.name(two, BTreeSet::new()), [clip(1)]);
    }
}
